import tomllib,glob,math,sys
base='/work/catalogue/chaos-core/catalogue'
S={};F=[]
for f in sorted(glob.glob(base+'/*.toml')):
    try:d=tomllib.load(open(f,'rb'))
    except Exception as e: print('skip',f);continue
    for s in d.get('symptoms',[]): S[s['id']]=s
    if 'fault' in d: F.append(d['fault'])
F.sort(key=lambda f:f['id']); N=len(F); ID={f['id']:i for i,f in enumerate(F)}
E=[{s['id']:s['p'] for s in f['symptoms']} for f in F]
eff=lambda a,b: next((e['p'] for e in F[a].get('explains',[]) if e['fault']==F[b]['id']),None)
def states():
    st=[('H',math.log(.85)),('U',math.log(.03))]+[((i,),math.log(F[i]['prior'])) for i in range(N)]
    for a in range(N):
        for b in range(a+1,N):
            pa,pb=F[a]['prior'],F[b]['prior']
            if eff(a,b) is not None: st.append(((a,b),math.log(pa*eff(a,b))))
            elif eff(b,a) is not None: st.append(((b,a),math.log(pb*eff(b,a))))
            else: st.append(((a,b),math.log(min(5*pa*pb,pa,pb))))
    return st
def lk(st,fn,bg,un):
    if st=='H':return bg
    if st=='U':return un
    ps=[fn(i) for i in st]; ps=[p for p in ps if p is not None]
    if not ps:return bg
    r=1
    for p in ps:r*=1-p
    return 1-r
def upd(st,fn,bg,un,pres):
    return [(s,l+math.log(max(1e-6,min(1-1e-6,lk(s,fn,bg,un))) if pres else 1-max(1e-6,min(1-1e-6,lk(s,fn,bg,un))))) for s,l in st]
def presence(st):
    m=max(l for _,l in st);t=sum(math.exp(l-m) for _,l in st)
    out={}
    for s,l in st:
        p=math.exp(l-m)/t
        if s in('H','U'): out[s]=p
        else:
            for i in s: out[F[i]['id']]=out.get(F[i]['id'],0)+p
    return sorted(out.items(),key=lambda x:-x[1])[:5]
SAMPLER=lambda s: 'log' in s or ('metric' in s and (s['metric']['name'].startswith(('system.','process.','systemd.'))))
def run(found,probes):
    st=states()
    for id_,s in S.items():
        pres=id_ in found
        if not pres and not SAMPLER(s): continue
        bg=s['background'];un=max(.2 if pres else .06,bg)
        st=upd(st,lambda i:E[i].get(id_),bg,un,pres)
    print('  before:',[(a,round(p,3)) for a,p in presence(st)])
    for fid,pid,pres in probes:
        i=ID[fid];r=next(p for p in F[i]['probes'] if p['id']==pid)['reading']
        st=upd(st,lambda k:r['p'] if k==i else None,r['background'],r['background'],pres)
        print('   ',fid,pid,pres,[(a,round(p,3)) for a,p in presence(st)][:3])
T=[
('cpu_quota',['pressure_cpu'],[('cpu_quota_throttling','throttled_groups',True),('cpu_quota_throttling','throttled_now',True)]),
('cpu_quota latency',['pressure_cpu','latency_up','log_timeouts'],[('cpu_quota_throttling','throttled_groups',True),('cpu_quota_throttling','throttled_now',True)]),
('steal',['cpu_steal_high','pressure_cpu'],[('cpu_steal','stolen_time',True)]),
('steal+sat',['cpu_steal_high','cpu_saturated','process_cpu_high','cpu_mode_shift'],[('cpu_steal','stolen_time',True)]),
('thermal',['log_cpu_hot'],[('cpu_thermal_throttling','throttle_counters',False)]),
('host oom',['log_oom_host','log_out_of_memory','oom_kills','log_oom_unit','log_unit_failed','memory_up','pressure_memory','process_memory_step'],[('host_out_of_memory','kernel_report',True)]),
('host oom grow',['log_oom_host','log_out_of_memory','oom_kills','log_oom_unit','process_memory_grows','process_memory_large','memory_up'],[('host_out_of_memory','kernel_report',True)]),
('cgroup oom',['log_oom_cgroup','log_out_of_memory','oom_kills','log_oom_unit','log_unit_failed'],[('cgroup_oom','kernel_report',True)]),
('cgroup oom grow',['log_oom_cgroup','log_out_of_memory','oom_kills','log_oom_unit','process_memory_grows'],[('cgroup_oom','kernel_report',True)]),
('leak only',['process_memory_grows','process_memory_large','memory_up'],[]),
('swap',['swapping','swap_reads_back','pressure_memory','pressure_io','cpu_iowait','disk_writes','memory_up','process_memory_step'],[('swap_thrash','memory_stalls',True)]),
('swap grow',['swapping','swap_reads_back','pressure_memory','disk_writes','memory_up','process_memory_grows','process_memory_large'],[('swap_thrash','memory_stalls',True)]),
('tasks',['log_fork_failed','process_count_up'],[('task_limit','forks_refused',True)]),
('tasks log only',['log_fork_failed'],[('task_limit','forks_refused',True),('limits_too_low','low_limits',False)]),
('fd',['log_too_many_open_files','process_files_grow'],[('fd_exhaustion','many_open_files',True)]),
('fd log only',['log_too_many_open_files'],[('fd_exhaustion','many_open_files',True),('limits_too_low','low_limits',False)]),
('limits fd',['log_too_many_open_files'],[('limits_too_low','low_limits',True),('fd_exhaustion','many_open_files',False)]),
('limits tasks',['log_fork_failed'],[('limits_too_low','low_limits',True),('task_limit','forks_refused',True)]),
('zombies',['process_count_up'],[('zombies','zombie_count',True)]),
('frozen',['log_timeouts'],[('process_frozen','stopped_processes',True),('process_frozen','waiting_connections',True)]),
('frozen cg',['log_timeouts','latency_up'],[('process_frozen','stopped_processes',False),('process_frozen','frozen_groups',True),('process_frozen','waiting_connections',True)]),
('nothing',[],[]),
('cpu hog',['cpu_saturated','cpu_mode_shift','process_cpu_high','pressure_cpu'],[]),
]
for n,f,p in T:
    print(n,f); run(set(f),p)
