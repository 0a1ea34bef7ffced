"""A model of chaos-core's catalogue check and Investigator, to try entries without cargo."""
import tomllib,re,glob,math,os
CAT='/work/catalogue/chaos-core/catalogue'
MINE=set('disk_inodes disk_deleted_open runaway_log disk_io_saturation filesystem_read_only disk_errors disk_quota db_lock_pileup db_auth_refused db_disk_bound cron_storm backup_at_peak'.split())
def load(own=False):
    files={}
    for p in sorted(glob.glob(CAT+'/*.toml')):
        b=os.path.basename(p)[:-5]
        if own and b not in MINE|{'symptoms','symptoms_storage','cpu_saturation','db_connections_exhausted','disk_space','memory_leak','network_latency','service_down'}: continue
        files[p]=tomllib.load(open(p,'rb'))
    return files
rx=re.compile
def records(s):
    t='\0' if '\0' in s else '\n'
    return [r for r in s.split(t) if r]
def present(r,out,code):
    if 'exit' in r: return code==r['exit']
    p=rx(r['pattern']);n=0
    for l in records(out):
        m=p.search(l)
        if not m: continue
        if 'value_min' in r:
            try: v=float(m.group('value'))
            except Exception: continue
            if v<r['value_min']: continue
        n+=1
    return n>=max(1,r.get('lines_min',1))
def captures(nm,line):
    m=rx(nm['pattern']).search(line)
    if not m: return None
    out={}
    for k,v in m.groupdict().items():
        if v is None: continue
        if k=='kib': out['bytes']=str(int(v)*1024)
        elif k=='path': out[k]=v
        else: out[k]=v.strip()[:300]
    return out
def named(nm,out):
    found=[c for c in (captures(nm,l) for l in records(out)) if c is not None]
    pick=nm.get('pick','first');kind=nm.get('kind')
    if pick=='first': return (kind,found[0]) if found else None
    if pick=='most':
        by={}
        for l in found:
            if not l.get('pid','').isdigit(): continue
            g=by.setdefault(l.get('command','pid '+l['pid']),{})
            n,f=g.get(int(l['pid']),(0,l)); g[int(l['pid'])]=(n+1,f)
        if not by: return None
        cmd=min(by,key=lambda c:(-sum(n for n,_ in by[c].values()),c))
        g=by[cmd]; pid=min(g,key=lambda p:(-g[p][0],p)); line=dict(g[pid][1])
        line['connections']=str(sum(n for n,_ in g.values())); line['pids']=','.join(map(str,sorted(g)[:50]))
        return (kind,line)
    ok=lambda p:p.startswith('/') and not any(ord(c)<32 for c in p) and not any(x in('..','.') for x in p.split('/'))
    found=[l for l in found if 'path' not in l or ok(l['path'])]
    found.sort(key=lambda l:(-int(l.get('bytes',0)),l.get('path','')))
    if not found: return None
    if kind!='file': return (kind,found[0])
    total=sum(int(l.get('bytes',0)) for l in found); by={}
    for l in found:
        d=l['path'].rsplit('/',1)[0] or '/'; e=by.setdefault(d,[0,[]]); e[0]+=int(l.get('bytes',0)); e[1].append(l['path'])
    first=dict(found[0])
    if int(first.get('bytes',0))<.6*total:
        d,(s,fs)=max(sorted(by.items()),key=lambda x:x[1][0])
        if len(fs)>1 and s>=.6*total: return('directory',{'path':d,'bytes':str(s),'count':str(len(fs)),'files':'\n'.join(fs[:50])})
    first['files']=first['path']
    return('file',first)
KNOWN=['pid','pids','path','files','mountpoint','unit','interface','device','handle','port','command']
OF={'process':['pid','pids','command'],'unit':['unit'],'filesystem':['mountpoint'],'device':['device'],'interface':['interface'],'port':['port'],'file':['path'],'directory':['path'],'log':['path'],'host':[]}
CH={'level_up','level_down','spike','dip','trend_up','trend_down','saturated','missing','variance_up','variance_down','flatline'}
ph=lambda w: re.findall(r'\{([a-z_]+)\}',w)
FK={'id','title','category','summary','prior','symptoms','probes','culprit','remedies','explains','references','action_items','questions'}
PK={'id','question','argv','cost_s','within_s','elevate','reading','names','examples'}
RK={'id','title','when','argv','rationale','confidence','preconditions','idempotent','timeout_s','on_failure','reversibility','backup','rollback','verify','downtime'}
CK={'title','argv','prints','fails','within_s'}
RDK={'pattern','value_min','lines_min','exit','p','background','sentence'}
def check(files):
    bad=[];syms={};faults={}
    for f,d in files.items():
        b=os.path.basename(f)
        for s in d.get('symptoms',[]):
            if s['id'] in syms: bad.append((b,s['id'],'dup symptom'))
            syms[s['id']]=s
            if set(s)-{'id','sentence','background','metric','log','other','entity'} or sum(k in s for k in('metric','log','other'))!=1: bad.append((b,s['id'],'keys'))
            if 'metric' in s and (set(s['metric'])-{'name','change','attributes','after_min','after_below'} or set(s['metric']['change'])-CH): bad.append((b,s['id'],'metric'))
            if 'log' in s:
                l=s['log'];p=rx(l['pattern'])
                if set(l)-{'pattern','level_min','match','not_match'}: bad.append((b,s['id'],'logkeys'))
                bad+=[(b,s['id'],'no match',t) for t in l['match'] if not p.search(t)]
                bad+=[(b,s['id'],'matches',t,p.search(t).group()) for t in l['not_match'] if p.search(t)]
                if b=='symptoms_storage.toml' and (len(l['match'])<4 or len(l['not_match'])<3): bad.append((b,s['id'],'few'))
        if 'fault' in d:
            x=d['fault']
            if x['id'] in faults: bad.append((b,'dup fault'))
            faults[x['id']]=x
            if b!=x['id']+'.toml': bad.append((b,'name'))
    for f,d in files.items():
        if 'fault' not in d: continue
        x=d['fault'];no=lambda *a:bad.append((os.path.basename(f),)+a);mine=x['id'] in MINE
        if set(x)-FK: no('keys',set(x)-FK)
        seen=set()
        for s in x['symptoms']:
            if s['id'] in seen: no('twice',s['id'])
            seen.add(s['id'])
            if s['id'] not in syms: no('no symptom',s['id'])
            elif mine and s['p']<=(syms[s['id']]['background']): no('p<=bg',s['id'])
        c=x.get('culprit');src=set()
        if c:
            if set(c)-{'kind','symptoms','pattern','group','measure'}: no('culprit keys')
            src|=set(OF[c['kind']])
            if 'pattern' in c: src|=set(rx(c['pattern']).groupindex)
            for i in c['symptoms']:
                if i not in syms: no('culprit symptom',i)
        for e in x.get('explains',[]):
            if e['fault'] not in faults: no('explains',e)
            if x['id'] in [z['fault'] for z in faults.get(e['fault'],{}).get('explains',[])]: no('cycle',e)
        for p in x.get('probes',[]):
            if 'names' in p:
                src|=set(rx(p['names']['pattern']).groupindex)|set(OF.get(p['names'].get('kind'),[]))
                if p['names'].get('kind')=='file': src.add('files')
        def words(id,ws):
            for w in ws:
                for n in ph(w):
                    if n not in KNOWN: no(id,'unknown ph',n)
                    if n not in src: no(id,'unnamed ph',n)
        ids=set()
        for p in x.get('probes',[]):
            if p['id'] in ids: no('dup',p['id'])
            ids.add(p['id'])
            if set(p)-PK or set(p.get('reading',{}))-RDK or set(p.get('names',{}))-{'pattern','pick','kind'}: no(p['id'],'keys')
            words(p['id'],p['argv'])
            if not 0<p['cost_s']<=10 or not p['cost_s']<=p.get('within_s',10)<=60: no(p['id'],'cost')
            r=p.get('reading')
            if not r and 'names' not in p: no(p['id'],'neither')
            if r and ('pattern' in r)==('exit' in r): no(p['id'],'pattern xor exit')
            if r and 'value_min' in r and 'value' not in rx(r['pattern']).groupindex: no(p['id'],'value')
            if mine and len(p['examples'])<2: no(p['id'],'few examples')
            for i,e in enumerate(p['examples']):
                if set(e)-{'stdout','exit','present','names'}: no(p['id'],'ex keys')
                got=present(r,e['stdout'],e.get('exit',0)) if r else None
                if got!=e.get('present'): no(p['id'],'example',i+1,'present',got)
                n=named(p['names'],e['stdout']) if 'names' in p else None
                for k,v in e.get('names',{}).items():
                    if (n[1] if n else {}).get(k)!=v: no(p['id'],'example',i+1,k,n)
        rid=set()
        for r in x.get('remedies',[]):
            if r['id'] in rid: no('dup',r['id'])
            rid.add(r['id'])
            if set(r)-RK or RK-set(r)-{'when','preconditions','backup','rollback'}: no(r['id'],'keys',set(r)^RK)
            for a in [r['argv']]+r.get('backup',[])+r.get('rollback',[]): words(r['id'],a)
            words(r['id'],[r['title']])
            if not r['verify'] or r['on_failure'] not in('abort','continue','rollback') or r['reversibility'] not in('full','partial','none'): no(r['id'],'enum')
            for c2 in r.get('preconditions',[])+r['verify']:
                if set(c2)-CK: no(r['id'],'check keys')
                words(r['id'],c2['argv']+[c2['title'],c2.get('prints','')])
            for w in r.get('when',[]):
                if w not in src|{'is_log'}: no(r['id'],'when',w)
    return bad,syms,faults
like=lambda pat,name: re.fullmatch('.*'.join(map(re.escape,pat.split('*'))),name,re.S) is not None
def metric(name,attrs='',change='level_up',after=1.0,score=.9):
    a=dict(w.split('=',1) for w in attrs.split());k,e='host',''
    for key,kind in (('process.command','process'),('system.filesystem.mountpoint','filesystem'),('network.interface.name','interface'),('system.device','device'),('systemd.unit.name','unit')):
        if key in a: k,e=kind,a[key];break
    return dict(t='m',name=name,attrs=a,change=change,after=after,score=score,kind=k,ent=e)
def log(text,level='error',score=.8): return dict(t='l',text=text,level=level,score=score,kind='log',ent='journald')
def shows(s,f):
    if f['score']<.5 or ('entity' in s and s['entity']!=f['kind']): return False
    if f['t']=='m' and 'metric' in s:
        m=s['metric']
        return like(m['name'],f['name']) and f['change'] in m['change'] and all(f['attrs'].get(k,'') in v for k,v in m.get('attributes',{}).items()) and f['after']>=m.get('after_min',-1e99) and f['after']<m.get('after_below',1e99)
    return f['t']=='l' and 'log' in s and rx(s['log']['pattern']).search(f['text']) is not None
PLAIN="system.cpu.load_average.1m system.memory.utilization system.paging.operations system.memory.oom_kills system.filesystem.utilization system.filesystem.inodes.utilization system.network.io system.network.tcp.retransmits system.network.connection.count system.process.count system.process.running system.process.blocked process.cpu.utilization process.memory.usage system.cpu.utilization"
WITH=[("system.cpu.utilization",{'cpu.mode':'user'}),("system.cpu.utilization",{'cpu.mode':'iowait'}),("system.linux.pressure",{'resource':'cpu'}),("system.linux.pressure",{'resource':'memory'}),("system.linux.pressure",{'resource':'io'}),("system.network.errors",{'network.io.direction':'receive'})]
FX=[(n,{}) for n in PLAIN.split()+['system.disk.io']]+WITH
SERIES=[(n,{}) for n in PLAIN.split()+['system.process.created','systemd.service.running','process.open_file_descriptor.count','system.network.tcp.rtt']]+WITH+[("system.disk.io",{'disk.io.direction':'read','system.device':'vda'}),("system.disk.io",{'disk.io.direction':'write','system.device':'vda'}),("system.disk.utilization",{'system.device':'vda'})]
def observable(s,series):
    if 'log' in s: return True
    if 'metric' in s:
        m=s['metric']
        return any(like(m['name'],n) and all(a.get(k,'') in v for k,v in m.get('attributes',{}).items()) for n,a in series)
    return False
KEY={'process':'command','unit':'unit','filesystem':'mountpoint','device':'device','interface':'interface','port':'port','file':'path','directory':'path','log':'path'}
class Inv:
    def __init__(I,syms,faults,findings,answers,series=SERIES,verbose=False):
        I.syms=list(syms.values());I.f=[faults[k] for k in sorted(faults)];I.fi=findings;I.ans=answers;I.series=series;I.v=verbose
        n=len(I.f);tot=sum(x['prior'] for x in I.f);pr=[x['prior']*.12/tot for x in I.f];I.scale=.12/tot;I.states=[('H',),('U',)]+[(i,) for i in range(n)];I.log=[math.log(.85),math.log(.03)]+[math.log(x) for x in pr]
        I.causes=set();eff=lambda a,b:next((e['p'] for e in a.get('explains',[]) if e['fault']==b['id']),None)
        for a in range(n):
            for b in range(a+1,n):
                A,B=I.f[a],I.f[b];pa,pb=pr[a],pr[b]
                if eff(A,B) is not None: s,p=(a,b),pa*eff(A,B);I.causes.add(s)
                elif eff(B,A) is not None: s,p=(b,a),pb*eff(B,A);I.causes.add(s)
                else: s,p=(a,b),min(5*pa*pb,pa,pb)
                I.states.append(s);I.log.append(math.log(p))
        I.st=[0.0]*n;I.cul=[I.fromf(x) for x in I.f];I.done=set();I.asked=set();I.cost=0
    def lik(I,fault,bg,unk):
        out=[]
        for s in I.states:
            if s==('H',): out.append(bg)
            elif s==('U',): out.append(unk)
            else:
                q=[fault[k] for k in s if k in fault]
                out.append(bg if not q else q[0] if len(q)==1 else 1-(1-q[0])*(1-q[1]))
        return out
    def upd(I,l,pres,logs=None):
        logs=I.log if logs is None else logs
        for i,p in enumerate(l):
            p=min(max(p,1e-6),1-1e-6);logs[i]+=math.log(p if pres else 1-p)
        return logs
    def probs(I,logs=None):
        logs=I.log if logs is None else logs
        m=max(logs);e=[math.exp(x-m) for x in logs];t=sum(e);return [x/t for x in e]
    def ent(I,logs=None): return -sum(p*math.log2(p) for p in I.probs(logs) if p>0)
    def pres_(I,i): return sum(p for s,p in zip(I.states,I.probs()) if i in s)
    def shares(I):
        sh={('H',):0,('U',):0};sh.update({(i,):0 for i in range(len(I.f))})
        for s,p in zip(I.states,I.probs()):
            if len(s)==1: sh[s]+=p
            else:
                tot=I.st[s[0]]+I.st[s[1]];t=1.0 if s in I.causes else (I.st[s[0]]/tot if tot>0 else .5)
                sh[(s[0],)]+=p*t;sh[(s[1],)]+=p*(1-t)
        return sorted(sh.items(),key=lambda x:-x[1])
    def nm(I,s): return {'H':'healthy','U':'unknown'}.get(s[0]) or I.f[s[0]]['id']
    def fromf(I,x):
        c=x.get('culprit')
        if not c: return None
        N={"process.pid":"pid","process.command":"command","system.filesystem.mountpoint":"mountpoint","system.device":"device","network.interface.name":"interface"}
        def norm(f):
            a={N.get(k,k):v for k,v in f.get('attrs',{}).items()}
            if f['kind'] in KEY and f['ent']: a.setdefault(KEY[f['kind']],f['ent'])
            return a
        for sid in c['symptoms']:
            s=next(z for z in I.syms if z['id']==sid)
            sus=[f for f in I.fi if shows(s,f)];sus.sort(key=lambda f:(-f.get('after',0),-f['score']))
            if 'pattern' in c:
                for f in sus:
                    a=norm(f) if f['kind']==c['kind'] else {}
                    m=rx(c['pattern']).search(f.get('text',''))
                    if m: a.update({k:v for k,v in m.groupdict().items() if v is not None})
                    n='' if c['kind']=='host' else a.get(KEY[c['kind']])
                    if n is not None: return (c['kind'],n,a)
            else:
                ok=[f for f in sus if f['kind']==c['kind']]
                if ok: return (c['kind'],ok[0]['ent'],norm(ok[0]))
    def merged(I,known,said):
        kind,a=said;attrs=dict(known[2]) if known else {}
        if kind=='unit' and known and known[0]=='unit': return known
        if kind:
            if known and known[0]==kind=='process': attrs={}
            attrs.update(a);n=attrs.get(KEY.get(kind))
            return (kind,n,attrs) if n is not None else None
        if not known: return None
        pids=known[2].get('pids',known[2].get('pid'))
        if 'pid' in a and pids and a['pid'] not in pids.split(','): return known
        for k,v in a.items(): attrs.setdefault(k,v)
        return (known[0],known[1],attrs)
    def argv(I,i,p):
        at=I.cul[i][2] if I.cul[i] else {};out=[]
        for w in p['argv']:
            for n in ph(w):
                v=at.get(n) or (at.get('pid') if n=='pids' else None)
                if v is None or (n=='device' and '/' in v): return None
                w=w.replace('{'+n+'}',v)
            out.append(w)
        return out
    def show(I,w):
        if I.v: print('   ',w,[(I.nm(s),round(p,3)) for s,p in I.shares()[:4]])
    def run(I):
        explained=set()
        for s in I.syms:
            by=[k for k,f in enumerate(I.fi) if shows(s,f)]
            if not by and not observable(s,I.series): continue
            explained|=set(by);bg=s['background']
            exp={i:e['p'] for i,x in enumerate(I.f) for e in x['symptoms'] if e['id']==s['id']}
            I.upd(I.lik(exp,bg,max(.20 if by else .06,bg)),bool(by))
            if by:
                sc=min(1,max(I.fi[k]['score'] for k in by))
                for i,p in exp.items(): I.st[i]+=max(0,math.log(p/bg)*sc)
                I.show(s['id'])
        kinds={}
        for k,f in enumerate(I.fi):
            if f['score']>=.5 and k not in explained: kinds[f.get('name') or f['text']]=max(kinds.get(f.get('name') or f['text'],0),f['score'])
        sc=sorted(kinds.values(),reverse=True)[:3];n=len(sc);nothing=not any(f['score']>=.5 for f in I.fi)
        for k,s in enumerate(I.states):
            w=math.prod(.012*10**(-2*(x-.5)) for x in sc) if s==('H',) else (.10 if nothing else .35**n) if s==('U',) else .08**n
            I.log[k]+=math.log(max(w,1e-9))
        I.show('absent')
        if not nothing:
            while len(I.done)<12 and I.cost<60 and not I.sure():
                b=None
                for i,x in enumerate(I.f):
                    if I.pres_(i)<.01: continue
                    for k,p in enumerate(x.get('probes',[])):
                        if 'reading' not in p or (i,k) in I.done or I.cost+p['cost_s']>60: continue
                        a=I.argv(i,p)
                        if a is None or tuple(a) in I.asked: continue
                        r=p['reading'];l=I.lik({i:r['p']},r['background'],r['background'])
                        pr=sum(q*z for q,z in zip(I.probs(),l))
                        g=I.ent()-pr*I.ent(I.upd(l,True,list(I.log)))-(1-pr)*I.ent(I.upd(l,False,list(I.log)))
                        rate=g/p['cost_s']
                        if g>=.01 and rate>=.02 and (b is None or rate>b[0]): b=(rate,i,k)
                if b is None: break
                I.ask(b[1],b[2])
        top=I.shares()[0][0]
        if isinstance(top[0],int):
            left=3
            for k,p in enumerate(I.f[top[0]].get('probes',[])):
                if not left or 'names' not in p or (top[0],k) in I.done or I.argv(top[0],p) is None or len(I.done)>=12 or I.cost>=60: continue
                left-=1;I.ask(top[0],k)
        top,share=I.shares()[0]
        return I.nm(top),round(share,3),(I.cul[top[0]] if isinstance(top[0],int) else None),[(I.nm(s),round(p,3)) for s,p in I.shares()[:4]],round(I.cost,1),len(I.done)
    def sure(I):
        t,p=I.shares()[0]
        return (I.pres_(t[0])>=.95 and I.cul[t[0]] is not None) if isinstance(t[0],int) else p>=.95
    def ask(I,i,k):
        p=I.f[i]['probes'][k];I.done.add((i,k));a=I.argv(i,p)
        if a is None: return
        I.asked.add(tuple(a));I.cost+=p['cost_s'];line=' '.join(a)
        hit=next((x for x in I.ans if line.startswith(x[0])),None)
        if hit is None:
            if I.v: print('    (no answer)',I.f[i]['id'],p['id'])
            return
        out,code=hit[1],hit[2]
        if code in(126,127): return
        r=p.get('reading');pres=present(r,out,code) if r else None
        if 'names' in p and pres is not False:
            n=named(p['names'],out)
            if n: I.cul[i]=I.merged(I.cul[i],n) or I.cul[i]
        if r:
            I.upd(I.lik({i:r['p']},r['background'],r['background']),pres)
            if pres: I.st[i]+=max(0,math.log(r['p']/r['background']))
        I.show(f"{I.f[i]['id']}/{p['id']} {pres} {I.cul[i]}")
