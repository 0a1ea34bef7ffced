import tomllib,re,glob,os,sys
MINE="packet_loss interface_down firewall_drop dns_failure wrong_hosts_entry port_taken ephemeral_ports conntrack_full bandwidth_saturated route_missing mtu_mismatch listen_queue_overflow".split()
SIX="cpu_saturation db_connections_exhausted disk_space memory_leak network_latency service_down".split()
D="/work/catalogue/chaos-core/catalogue/"
files={}
for f in glob.glob(D+"*.toml"):
    try: files[os.path.basename(f)]=tomllib.load(open(f,'rb'))
    except Exception as e: print("PARSE",f,e)
sym={}
for n,f in files.items():
    for s in f.get('symptoms',[]):
        if s['id'] in sym: print("DUP",s['id'],n,sym[s['id']][0])
        sym[s['id']]=(n,s)
faults={}
for n,f in files.items():
    if 'fault' in f:
        i=f['fault']['id']
        if i in faults: print("DUPF",i)
        faults[i]=f['fault']
def R(p):
    if re.search(r'\(\?[=!<](?!P)',p.replace('(?P<','')): print("LOOK?",p)
    return re.compile(p)
bad=0
def err(*a):
    global bad; bad+=1; print("ERR",*a)
for s in files['symptoms_network.toml']['symptoms']:
    if not 0<s['background']<1: err(s['id'])
    if 'log' in s:
        r=R(s['log']['pattern'])
        if len(s['log']['match'])<4 or len(s['log']['not_match'])<3: err(s['id'],'few')
        for m in s['log']['match']:
            if not r.search(m): err(s['id'],'match',m)
        for m in s['log']['not_match']:
            if r.search(m): err(s['id'],'not',m)
# cross: which of my patterns hit other symptoms' match texts
if '-x' in sys.argv:
  for i,(n,s) in sym.items():
    if n=='symptoms_network.toml' and 'log' in s:
        r=R(s['log']['pattern'])
        for j,(m,t) in sym.items():
            if j!=i and 'log' in t:
                for x in t['log']['match']:
                    if r.search(x): print(i,'also hits',j,':',x)
    elif 'log' in s:
        r=R(s['log']['pattern'])
        for j,(m,t) in sym.items():
            if m=='symptoms_network.toml' and 'log' in t:
                for x in t['log']['match']:
                    if r.search(x): print('  theirs',i,'hits my',j,':',x)
KNOWN="pid pids path files mountpoint unit interface device handle port command".split()
ENT=dict(process=["pid","pids","command"],unit=["unit"],filesystem=["mountpoint"],device=["device"],interface=["interface"],port=["port"],file=["path"],directory=["path"],log=["path"],host=[])
def ph(w):
    return [m for m in re.findall(r'\{([a-z_]+)\}',w)]
def records(o):
    t='\0' if '\0' in o else '\n'
    return [r for r in o.split(t) if r]
def caps(r,line):
    m=r.search(line)
    if not m: return None
    return {k:v.strip() for k,v in m.groupdict().items() if v is not None}
for i in MINE:
    f=faults[i]
    allowed={"id","title","category","summary","prior","symptoms","probes","culprit","remedies","explains","references","action_items","questions"}
    if set(f)-allowed: err(i,set(f)-allowed)
    ids=[s['id'] for s in f['symptoms']]
    if len(set(ids))!=len(ids): err(i,'dup symptom')
    for s in f['symptoms']:
        if s['id'] not in sym: err(i,'no symptom',s['id']); continue
        if s['p']<=sym[s['id']][1]['background']: err(i,'p<=bg',s)
    for s in f['culprit']['symptoms']:
        if s not in sym: err(i,s)
        if s not in ids: print("note",i,s,"culprit symptom not in symptoms")
    for e in f.get('explains',[]):
        if e['fault'] not in MINE+SIX: err(i,e)
    src=set(ENT[f['culprit']['kind']])
    if 'pattern' in f['culprit']: src|=set(R(f['culprit']['pattern']).groupindex)
    for p in f['probes']:
        if 'names' in p:
            src|=set(R(p['names']['pattern']).groupindex)
            if 'kind' in p['names']: src|=set(ENT[p['names']['kind']])
            if p['names'].get('kind')=='file': src.add('files')
    def known(where,words):
        for w in words:
            for x in ph(w):
                if x not in KNOWN: err(i,where,'unknown',x)
                if x not in src: err(i,where,'nosource',x)
    if not 1<=len(f['probes'])<=4: err(i,'nprobes',len(f['probes']))
    pid=set()
    for p in f['probes']:
        if set(p)-{"id","question","argv","cost_s","within_s","elevate","reading","names","examples"}: err(i,p['id'],'keys')
        if p['id'] in pid: err(i,p['id'])
        pid.add(p['id'])
        known(p['id'],p['argv'])
        rd=p.get('reading')
        if rd:
            if ('pattern' in rd)==('exit' in rd): err(i,p['id'],'pattern/exit')
            if not rd['background']<rd['p']: err(i,p['id'],'bg')
        if not(0<p['cost_s']<=10 and p.get('within_s',10)>=p['cost_s'] and p.get('within_s',10)<=60): err(i,p['id'],'cost')
        if len(p['examples'])<2: print("note",i,p['id'],'1 example')
        pres=set()
        for n,x in enumerate(p['examples'],1):
            got=None
            if rd:
                if 'exit' in rd: got=x.get('exit',0)==rd['exit']
                else:
                    r=R(rd['pattern']); c=0
                    for l in records(x['stdout']):
                        m=r.search(l)
                        if not m: continue
                        if 'value_min' in rd:
                            try: 
                                if float(m.group('value'))<rd['value_min']: continue
                            except: continue
                        c+=1
                    got=c>=rd.get('lines_min',1)
            pres.add(got)
            if got!=x.get('present'): err(i,p['id'],n,'present',got)
            nm={}
            if 'names' in p:
                r=R(p['names']['pattern'])
                found=[c for c in (caps(r,l) for l in records(x['stdout'])) if c is not None]
                pick=p['names'].get('pick','first')
                if found:
                    if pick=='first': nm=found[0]
                    elif pick=='most':
                        g={}
                        for c in found: g.setdefault(c['command'],[]).append(c)
                        best=max(g.values(),key=len); nm=dict(best[0]); nm['connections']=str(len(best))
            for k,v in x.get('names',{}).items():
                if nm.get(k)!=v: err(i,p['id'],n,k,'want',v,'got',nm.get(k))
        if rd and False not in pres: err(i,p['id'],'no absent example')
    for r in f.get('remedies',[]):
        if set(r)-{"id","title","when","argv","rationale","confidence","preconditions","idempotent","timeout_s","on_failure","reversibility","backup","rollback","verify","downtime"}: err(i,r['id'],'keys')
        if not r['verify']: err(i,r['id'])
        for c in [r['argv']]+r.get('backup',[])+r.get('rollback',[]): known(r['id'],c)
        known(r['id'],[r['title']])
        for c in r.get('preconditions',[])+r['verify']:
            if set(c)-{"title","argv","prints","fails","within_s"}: err(i,r['id'],c)
            known(r['id'],c['argv']+[c['title'],c.get('prints','')])
        for w in r.get('when',[]):
            if w not in src: err(i,r['id'],'when',w)
        if r['on_failure'] not in('abort','continue','rollback') or r['reversibility'] not in('full','partial','none'): err(i,r['id'])
    if not 2<=len(f['action_items'])<=4 or not 1<=len(f['questions'])<=3: err(i,'texts')
print("faults",len(faults),"symptoms",len(sym),"errors",bad)
