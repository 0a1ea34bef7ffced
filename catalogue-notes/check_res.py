import tomllib,re,glob,sys,os
base='/work/catalogue/chaos-core/catalogue'
mine="cpu_quota_throttling cpu_steal cpu_thermal_throttling host_out_of_memory cgroup_oom swap_thrash task_limit fd_exhaustion zombies process_frozen limits_too_low".split()
syms={};faults={};bad=0
def err(*a):
    global bad; bad+=1; print('ERR',*a)
files={}
for f in sorted(glob.glob(base+'/*.toml')):
    try: files[f]=tomllib.load(open(f,'rb'))
    except Exception as e: err(f,e)
def rx(p):
    if re.search(r'\(\?(?:[=!]|<[=!])',p): err('lookaround',p)
    return re.compile(p)
for f,d in files.items():
    for s in d.get('symptoms',[]):
        if s['id'] in syms: err(f,'dup symptom',s['id'])
        syms[s['id']]=s
        if sum(k in s for k in('metric','log','other'))!=1: err(s['id'],'kinds')
        if set(s)-{'id','sentence','background','metric','log','other','entity'}: err(s['id'],'keys')
        if 'log' in s:
            r=rx(s['log']['pattern'])
            for t in s['log']['match']:
                if not r.search(t): err(s['id'],'no match',t)
            for t in s['log']['not_match']:
                if r.search(t): err(s['id'],'matches',t, r.search(t).group())
            if 'resources' in f and (len(s['log']['match'])<4 or len(s['log']['not_match'])<3): err(s['id'],'few')
        if 'metric' in s:
            for c in s['metric']['change']:
                assert c in "level_up level_down spike dip trend_up trend_down saturated missing variance_up variance_down flatline".split(),c
    if 'fault' in d:
        if d['fault']['id'] in faults: err('dup fault')
        faults[d['fault']['id']]=(f,d['fault'])
PL="pid pids path files mountpoint unit interface device handle port command".split()
OF={'process':['pid','pids','command'],'unit':['unit'],'filesystem':['mountpoint'],'device':['device'],'interface':['interface'],'port':['port'],'file':['path'],'directory':['path'],'log':['path'],'host':[]}
ph=lambda w: re.findall(r'\{([a-z_]+)\}',w)
def recs(s):
    t='\0' if '\0' in s else '\n'
    return [x for x in s.split(t) if x]
def present(r,ex):
    if 'exit' in r: return ex.get('exit',0)==r['exit']
    p=rx(r['pattern']);n=0
    for l in recs(ex['stdout']):
        m=p.search(l)
        if not m: continue
        if 'value_min' in r:
            try: v=float(m['value'])
            except Exception: continue
            if v<r['value_min']: continue
        n+=1
    return n>=r.get('lines_min',1)
def named(nm,ex):
    p=rx(nm['pattern']);found=[]
    for l in recs(ex['stdout']):
        m=p.search(l)
        if m:
            d={}
            for k,v in m.groupdict().items():
                if v is None: continue
                if k=='kib': d['bytes']=str(int(v)*1024)
                else: d[k]=v if k=='path' else v.strip()[:300]
            found.append(d)
    if not found: return {}
    pick=nm.get('pick','first')
    if pick=='first': return found[0]
    if pick=='most':
        by={}
        for d in found:
            if 'pid' not in d: continue
            g=by.setdefault(d.get('command','pid '+d['pid']),{}); pid=int(d['pid'])
            e=g.setdefault(pid,[0,d]); e[0]+=1
        if not by: return {}
        tot=lambda g:sum(n for n,_ in g.values())
        best=max(sorted(by.items(),reverse=True),key=lambda kv:tot(kv[1]))  # approx for ties
        g=best[1]; pid=min(g,key=lambda q:(-g[q][0],q)); d=dict(g[pid][1])
        d['connections']=str(tot(g)); d['pids']=','.join(str(x) for x in sorted(g)[:50]); return d
    err('pick',pick)
FK={'id','title','category','summary','prior','symptoms','probes','culprit','remedies','explains','references','action_items','questions'}
PK={'id','question','argv','cost_s','within_s','elevate','reading','names','examples'}
RK={'id','title','when','argv','rationale','confidence','preconditions','idempotent','timeout_s','on_failure','reversibility','backup','rollback','verify','downtime'}
progs=set(re.findall(r'^    \("([a-z-]+)", Args',open('/work/catalogue/chaos-core/src/readonly.rs').read(),re.M))|{'vmstat'}
for id_ in mine:
    if id_ not in faults: err('missing',id_); continue
    f,F=faults[id_]
    if os.path.basename(f)!=id_+'.toml': err(f)
    if set(F)-FK: err(id_,set(F)-FK)
    seen=set()
    for s in F['symptoms']:
        if s['id'] not in syms: err(id_,'no symptom',s['id']); continue
        if s['id'] in seen: err(id_,'twice',s['id'])
        seen.add(s['id'])
        b=syms[s['id']]['background']
        if s['p']<=b: print('note',id_,s['id'],s['p'],'<= bg',b)
    for e in F.get('explains',[]):
        if e['fault'] not in faults: err(id_,'explains',e)
    src=set()
    c=F.get('culprit')
    if c:
        src|=set(OF[c['kind']])
        for s in c['symptoms']:
            if s not in syms: err(id_,'culprit',s)
        if 'pattern' in c: src|=set(rx(c['pattern']).groupindex)
    for p in F.get('probes',[]):
        if 'names' in p:
            src|=set(rx(p['names']['pattern']).groupindex)|set(OF.get(p['names'].get('kind'),[]))
    def known(where,words):
        for w in words:
            for n in ph(w):
                if n not in PL: err(id_,where,'placeholder',n)
                if n not in src: err(id_,where,'unnamed',n)
    ids=set()
    for p in F.get('probes',[]):
        if set(p)-PK: err(id_,p['id'],set(p)-PK)
        if p['id'] in ids: err('dup probe')
        ids.add(p['id'])
        known(p['id'],p['argv'])
        if p['argv'][0] not in progs: err(id_,p['id'],p['argv'][0])
        if not(0<p['cost_s']<=10) or not(p['cost_s']<=p.get('within_s',10)<=60): err(p['id'],'cost')
        if 'reading' not in p and 'names' not in p: err(p['id'],'nothing')
        if 'reading' in p:
            r=p['reading']
            if ('pattern' in r)==('exit' in r): err('reading')
            if 'value_min' in r and 'value' not in rx(r['pattern']).groupindex: err('value')
            if not r['p']>r['background']: print('note reading',p['id'])
        if len(p['examples'])<2: err(id_,p['id'],'few examples')
        neg=False
        for i,ex in enumerate(p['examples']):
            want=ex.get('present'); got=present(p['reading'],ex) if 'reading' in p else None
            if want!=got: err(id_,p['id'],i+1,'present',want,got)
            nm=named(p['names'],ex) if 'names' in p else {}
            for k,v in ex.get('names',{}).items():
                if nm.get(k)!=v: err(id_,p['id'],i+1,'names',k,v,nm)
            if want is False or ('names' in p and not nm): neg=True
        if not neg: err(id_,p['id'],'no negative example')
    keys=src|{'is_log','start_ticks','bytes','count'}
    for r in F.get('remedies',[]):
        if set(r)-RK: err(id_,r['id'],set(r)-RK)
        for k in RK-{'when','preconditions','backup','rollback'}:
            if k not in r: err(id_,r['id'],'lacks',k)
        for w in r.get('when',[]):
            if w not in keys: err(id_,r['id'],'when',w)
        assert r['on_failure'] in('abort','continue','rollback') and r['reversibility'] in('full','partial','none')
        for a in [r['argv']]+r.get('backup',[])+r.get('rollback',[])+[[r['title']]]: known(r['id'],a)
        for ck in r.get('preconditions',[])+r['verify']:
            known(r['id'],ck['argv']+[ck['title']]+([ck['prints']] if 'prints' in ck else []))
            if ck['argv'][0] not in progs: err(id_,r['id'],'check',ck['argv'][0])
print(len(syms),'symptoms',len(faults),'faults',bad,'errors')
