import tomllib,glob,os,math,sys,itertools
D="/work/catalogue/chaos-core/catalogue/"
MINE="packet_loss interface_down firewall_drop dns_failure wrong_hosts_entry port_taken ephemeral_ports conntrack_full bandwidth_saturated route_missing mtu_mismatch listen_queue_overflow".split()
SIX="cpu_saturation db_connections_exhausted disk_space memory_leak network_latency service_down".split()
ALL=os.environ.get('ALLF')
F=[];S={}
for f in sorted(glob.glob(D+"*.toml")):
    x=tomllib.load(open(f,'rb'))
    for s in x.get('symptoms',[]): S[s['id']]=s
    if 'fault' in x and (ALL or x['fault']['id'] in MINE+SIX): F.append(x['fault'])
F.sort(key=lambda f:f['id']); N=len(F); ix={f['id']:i for i,f in enumerate(F)}
def eff(a,b):
    for e in F[a].get('explains',[]):
        if e['fault']==F[b]['id']: return e['p']
def init(norm):
    st={('h',):.85,('u',):.03}
    tot=sum(f['prior'] for f in F); k=(.12/tot if norm else 1)
    pr=[f['prior']*k for f in F]
    for i in range(N): st[(i,)]=pr[i]
    causes=set()
    for a,b in itertools.combinations(range(N),2):
        p,q=eff(a,b),eff(b,a)
        if p: st[(a,b)]=pr[a]*p; causes.add((a,b))
        elif q: st[(b,a)]=pr[b]*q; causes.add((b,a))
        else: st[(a,b)]=min(5*pr[a]*pr[b],pr[a],pr[b])
    return {k:math.log(v) for k,v in st.items()},causes
def like(k,fp,bg,un):
    if k==('h',): return bg
    if k==('u',): return un
    ps=[fp(i) for i in k]; ps=[p for p in ps if p is not None]
    if not ps: return bg
    q=1
    for p in ps:q*=1-p
    return 1-q
def run(name,present,absent,probes,norm=True):
    st,causes=init(norm); strength=[0]*N
    def upd(fp,bg,un,pres):
        for k in st:
            p=min(max(like(k,fp,bg,un),1e-6),1-1e-6); st[k]+=math.log(p if pres else 1-p)
        if pres:
            for i in range(N):
                if fp(i): strength[i]+=max(0,math.log(fp(i)/bg))
    for s in S:
        e={ix[f['id']]:x['p'] for f in F for x in f['symptoms'] if x['id']==s}; bg=S[s]['background']
        if s in present: upd(e.get,bg,max(.2,bg),True)
        elif absent=='all' and not any(w in s for w in('metric','latency_up','duration_up','conntrack','listen_overflows')) and not S[s].get('metric',{}).get('name','').startswith('*'): upd(e.get,bg,max(.06,bg),False)
    def show():
        m=max(st.values()); t=sum(math.exp(v-m) for v in st.values()); sh={}
        for k,v in st.items():
            p=math.exp(v-m)/t
            if len(k)==1: sh[k[0]]=sh.get(k[0],0)+p
            else:
                a,b=k; part=1 if k in causes else (strength[a]/(strength[a]+strength[b]) if strength[a]+strength[b]>0 else .5)
                sh[a]=sh.get(a,0)+p*part; sh[b]=sh.get(b,0)+p*(1-part)
        top=sorted(sh.items(),key=lambda x:-x[1])[:4]
        return ' '.join(f"{F[k]['id'] if isinstance(k,int) else k} {p:.3f}" for k,p in top)
    print(f"{name:34s} findings: {show()}")
    for fid,pid,pres in probes:
        p=[p for p in F[ix[fid]]['probes'] if p['id']==pid][0]['reading']
        i=ix[fid]; upd(lambda j:p['p'] if j==i else None,p['background'],p['background'],pres)
    print(' '*34,'after probes:',show())
run('latency: rtt',['round_trips_up'],'all',[('network_latency','traffic_control',True),('packet_loss','netem_loss',False),('bandwidth_saturated','rate_limit',False)])
run('latency: rtt+retr',['round_trips_up','tcp_retransmits'],'all',[('network_latency','traffic_control',True),('packet_loss','netem_loss',False),('bandwidth_saturated','rate_limit',False)])
run('latency path',['round_trips_up','tcp_retransmits'],'all',[('network_latency','traffic_control',False),('packet_loss','netem_loss',False),('bandwidth_saturated','rate_limit',False)])
run('netem loss',['tcp_retransmits'],'all',[('network_latency','traffic_control',True),('packet_loss','netem_loss',True)])
run('tbf',['round_trips_up','tcp_retransmits'],'all',[('network_latency','traffic_control',True),('bandwidth_saturated','rate_limit',True),('bandwidth_saturated','queue',True)])
run('iface',['log_link_down'],'all',[('interface_down','link_state',True),('interface_down','dead_routes',True)])
run('iface unreach only',['log_network_unreachable'],'all',[('interface_down','link_state',True),('route_missing','default_route',True)])
run('route',['log_network_unreachable'],'all',[('route_missing','default_route',True),('interface_down','link_state',False)])
run('route + dns',['log_network_unreachable','log_resolver_silent'],'all',[('route_missing','default_route',True),('dns_failure','resolves',True),('interface_down','link_state',False)])
run('dns',['log_resolver_silent'],'all',[('dns_failure','resolves',True)])
run('dns name',['log_name_unknown'],'all',[('dns_failure','resolves',True)])
run('fw',['log_timeouts'],'all',[('firewall_drop','nft_rules',True),('firewall_drop','blocked_server',True)])
run('fw ipt',['log_timeouts'],'all',[('firewall_drop','nft_rules',True),('firewall_drop','iptables_rules',True),('firewall_drop','blocked_server',True)])
run('fw none',['log_timeouts'],'all',[('firewall_drop','nft_rules',False)])
run('hosts',['log_wrong_peer'],'all',[('wrong_hosts_entry','hosts_changed',True),('wrong_hosts_entry','foreign_entries',True)])
run('hosts refused',['log_refused'],'all',[('wrong_hosts_entry','hosts_changed',True),('wrong_hosts_entry','foreign_entries',True),('service_down','failed_units',False)])
run('port',['log_address_in_use','log_unit_failed'],'all',[('port_taken','port_holder',True)])
run('port + gone',['log_address_in_use','log_unit_failed','service_gone','log_unit_stopped'],'all',[('port_taken','port_holder',True),('service_down','unit_state',True)])
run('eph',['log_ports_exhausted','time_wait_up','connections_up'],'all',[('ephemeral_ports','time_wait_sockets',True)])
run('eph narrow',['log_ports_exhausted'],'all',[('ephemeral_ports','port_range',True),('ephemeral_ports','time_wait_sockets',False)])
run('ct',['log_conntrack_full','conntrack_at_limit','conntrack_fills','log_timeouts'],'all',[('conntrack_full','drops',True)])
run('bw',['interface_busy','round_trips_up'],'all',[('bandwidth_saturated','rate_limit',False),('bandwidth_saturated','queue',True),('network_latency','traffic_control',False)])
run('mtu',['log_message_too_long','log_timeouts'],'all',[('mtu_mismatch','unusual_mtu',True),('mtu_mismatch','stuck_connections',True)])
run('mtu2',['log_timeouts'],'all',[('mtu_mismatch','unusual_mtu',True),('mtu_mismatch','stuck_connections',True),('firewall_drop','nft_rules',False)])
run('listen',['log_listen_overflow','tcp_retransmits'],'all',[('listen_queue_overflow','accept_queue',True)])
run('listen quiet',['log_timeouts'],'all',[('listen_queue_overflow','accept_queue',True),('listen_queue_overflow','overflow_counters',True),('firewall_drop','nft_rules',False)])
run('svc down',['service_gone','log_unit_stopped'],'all',[('service_down','unit_state',True)])
run('svc refused',['service_gone','log_refused','log_unit_failed'],'all',[('service_down','unit_state',True)])
run('db',['log_connections_exhausted','connections_up'],'all',[('db_connections_exhausted','connection_holder',True)])
run('disk',['filesystem_fills','disk_writes'],'all',[])
