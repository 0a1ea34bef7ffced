from storage_sim import *
import sys
PS="ps -ww -o pid=,ppid=,user:32=,etimes=,rss=,args="
def hog(): return [metric("system.cpu.utilization",'','saturated',.99),metric("system.cpu.utilization","cpu.mode=user",'level_up',.95),metric("process.cpu.utilization","process.command=worker process.pid=812",'level_up',.5),metric("process.cpu.utilization","process.command=worker process.pid=813",'level_up',.49),metric("system.linux.pressure","resource=cpu kind=some",'level_up',.6)]
def leak(): return [metric("process.memory.usage","process.command=app process.pid=900",'trend_up',6e8),metric("system.memory.utilization","",'trend_up',.6)]
def full(): return [metric("system.filesystem.utilization","system.filesystem.mountpoint=/",'level_up',.95),metric("system.filesystem.usage","system.filesystem.mountpoint=/",'level_up',9e9),metric("system.disk.io","disk.io.direction=write",'spike',2e8)]
FOUND="9000000 1764000000.0 app /var/log/app/debug.log\0"
DF=("df -kP /","/dev/vda1 10000 9700 300 97% /\n",0)
SLOW=[metric("system.network.tcp.retransmits",'','level_up',20),log("upstream timed out (110: Connection timed out)")]
DOWN=[log("nginx.service: Failed with result 'exit-code'.",'warning'),log("connect() failed (111: Connection refused)")]
DBC=[metric("system.network.connection.count","network.connection.state=established",'level_up',120),log("FATAL:  sorry, too many clients already",'critical')]
RSS=[("cat /proc/900/status","RssAnon:\t 590000 kB\n",0)]
CASES={
'hog':(hog(),[(PS,"  812     1 app        42  10240 /opt/worker --n 2\n",0),("cat /proc/812/cgroup","0::/system.slice/jobs.service\n",0)],'cpu_saturation .9'),
'hog-noans':(hog(),[],'cpu_saturation'),
'leak':(leak(),RSS,'memory_leak .8'),'leak1':(leak()[:1],RSS,'memory_leak .8'),
'full':(full()+[log("write failed: No space left on device")],[("find / -xdev",FOUND,0),DF],'disk_space'),
'full2':(full(),[("find / -xdev",FOUND,0),DF],'disk_space'),
'full-nofind':(full(),[DF],'disk_space'),
'load':([metric("system.cpu.utilization","",'level_up',.5),metric("system.cpu.utilization","cpu.mode=user",'level_up',.45),metric("process.cpu.utilization","process.command=tar process.pid=70",'level_up',.45),metric("system.disk.io","disk.io.direction=read",'level_up',1e8)],[],'healthy|unknown|<.8'),
'scary1':([log("PANIC: invariant 0 violated",'critical')],[],'unknown'),
'scary4':([log(f"PANIC: invariant {n} violated",'critical') for n in range(4)],[],'unknown'),
'two':(hog()+full(),[(PS,"  812     1 app        42  10240 /opt/worker --n 2\n",0)],'cpu>.2&disk>.2'),
'slow':(SLOW,[("tc -s qdisc","qdisc netem 8001: dev eth0 root refcnt 2 delay 200ms\n",0)],'network_latency'),
'down':(DOWN,[("systemctl show -p ActiveState nginx.service","ActiveState=failed\n",0)],'service_down'),
'dbc':(DBC,[("sh -c","127.0.0.1:5432 77 api\n"*40,0)],'db_connections_exhausted'),
}
if __name__=='__main__':
    bad,syms,faults=check(load('all' not in sys.argv))
    for b in bad: print('BAD',b)
    for n,(f,a,w) in CASES.items():
        sel=[a for a in sys.argv[1:] if a!='all']
        if sel and n not in sel: continue
        r=Inv(syms,faults,f,a,FX,verbose=bool(sel)).run();print(f'{n:12} want {w:20} ->',r[0],r[1],r[3][1:4],'cost',r[4],r[5])
