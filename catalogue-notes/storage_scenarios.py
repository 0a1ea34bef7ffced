from storage_sim import *
import sys
from storage_base import full
D="system.device=vda"
def io(): return [metric("system.disk.utilization",D,'level_up',.99),metric("system.disk.io",D+" disk.io.direction=write",'level_up',3e8),metric("system.linux.pressure","resource=io kind=some",'level_up',.8),metric("system.cpu.utilization","cpu.mode=iowait",'level_up',.5),metric("system.process.blocked",'','level_up',4)]
def rd(): return [metric("system.disk.io",D+" disk.io.direction=read",'level_up',3e8)]
INFL=("cat /sys/block/vda/inflight","   3  40\n",0); NOINFL=("cat /sys/block/vda/inflight","   0  0\n",0)
def ps_state(user=''): return ("ps -ww -eo pid=,ppid=,stat=,user:32=,comm=","      1       0 Ss   root  systemd\n     60       2 D    root   jbd2/vda1-8\n"+user,0)
def ps_thr(user=''): return ("ps -ww -eLo","      1       0 Ss   root  /sbin/init\n"+user,0)
def ps_maint(user=''): return ("ps -ww -eo pid=,ppid=,user:32=,etimes=,comm=,args=","      1       0 root 9000 systemd /sbin/init\n"+user,0)
def ps_cron(user=''): return ("ps -ww -eo pid=,ppid=,user:32=,unit:64=,etimes=,comm=","    500       1 root cron.service 9000 cron\n"+user,0)
def ps_pg(user=''): return ("ps -ww -eo pid=,ppid=,user:32=,etimes=,args=","    1 0 root 900 /sbin/init\n"+user,0)
ACT=("systemctl list-units --type=service --state=activating","",0)
MD=("cat /proc/mdstat","Personalities : \n",0); MDG=("grep -E","",1)
DMESG0=("dmesg -k","",0)
MOUNTS=("cat /proc/mounts","/dev/vda1 / ext4 rw,relatime 0 0\n",0); MOUNTS2=("cat /proc/self/mounts","/dev/vda1 / ext4 rw,relatime 0 0\n",0)
EXT=("grep -rs","/sys/fs/ext4/vda1/errors_count:0\n",0)
DEL0=("find -L /proc","0 - /proc\n",1); VARLOG0=("find /var/log","",0); BIGLOG0=("find / -mount","",0); CROWD0=("find / -xdev -type d","",0)
DF=("df -kP /","x\n/dev/vda1 10000 9700 300 97% /\n",0);DFI=("df -iP","x\n/dev/vda1 10000 500 9500 5% /\n",0)
DU=("du -xk","900000\t/var/log\n1900000\t/var\n",0);LSOF0=("lsof","",127);HBA0=("find /etc","- - /etc\0",1);REP0=("repquota","",127)
TC=("tc -s","qdisc fq_codel 0: dev eth0 root\n",0);SS=("ss -Hti","",0);SSD=("ss -Htn","",0);SHC=("sh -c","",0);FAIL=("systemctl list-units --failed","",0);IPL=("ip -s","",0);BIG0=("find / -xdev -type f","",0)
REST=[ACT,MD,MDG,DMESG0,MOUNTS,MOUNTS2,EXT,DEL0,VARLOG0,BIGLOG0,CROWD0,DF,DFI,DU,LSOF0,HBA0,REP0,TC,SS,SSD,SHC,FAIL,IPL,BIG0,NOINFL,ps_state(),ps_thr(),ps_maint(),ps_cron(),ps_pg()]
ID=("ps -ww -o pid=,ppid=,user:32=,etimes=,rss=,args= -p","  812     1 app        42  10240 copytool\n",0)
IDC=("ps -ww -o pid=,ppid=,user:32=,etimes=,comm= -p","  812     1 app        42  app-server\n",0)
CG=("cat /proc/812/cgroup","0::/system.slice/app.service\n",0)
FS=full()[:2]
INO=[metric("system.filesystem.inodes.utilization","system.filesystem.mountpoint=/",'saturated',.99)]
cronjobs=''.join(f"    {600+i}     500 root cron.service 10 cron\n    {700+i}     {600+i} root cron.service 10 report.sh\n" for i in range(12))
pgw="  812   700 postgres   310 postgres: app shop 10.0.0.5(40112) idle in transaction\n"+''.join(f"  {820+i}   700 postgres    60 postgres: app shop 10.0.0.5(40120) UPDATE waiting\n" for i in range(9))
S={
'disk_space plain':(FS,[("find / -xdev -type f","90000 1.0 root /tmp/x/a\00090000 1.0 root /tmp/x/b\0",0)]),
'disk_inodes':(INO+[log("touch: cannot touch 'x': No space left on device")],[("df -iP","x\n/dev/vda1 10000 9900 100 99% /\n",0),("find / -xdev -type d","1175552 1764000000.1 app /srv/cache\0",0)]),
'disk_inodes nolog':(INO,[("df -iP","x\n/dev/vda1 10000 9900 100 99% /\n",0),("find / -xdev -type d","1175552 1764000000.1 app /srv/cache\0",0)]),
'disk_deleted_open':(FS,[("find -L /proc","0 - /proc\n716804 ext4 /proc/812/fd/3\n",1),IDC,CG,("readlink","/var/log/app/debug.log (deleted)\n",0)]),
'disk_deleted_open+w':(full(),[("find -L /proc","0 - /proc\n716804 ext4 /proc/812/fd/3\n",1),IDC,CG,("readlink","/srv/data (deleted)\n",0)]),
'runaway_log':(full(),[("find / -mount","900000 1.0 app /var/log/app/debug.log\0",0),("find / -xdev -type f","900000 1.0 app /var/log/app/debug.log\0",0),("find /var/log","900000 1.0 app /var/log/app/debug.log\0",0),("find /proc","/proc/812/fd/3\n",1),CG,("ps -ww -o pid=,ppid=,etimes=,comm=,args=","812 1 42 app /opt/app\n",0)]),
'disk_io_saturation':(io(),[INFL,ps_state("    812       1 D    app    copytool\n"),ID,CG]),
'disk_io_saturation nolist':(io()[:2],[INFL,ps_state("    812       1 D    app    copytool\n"),ID,CG]),
'db_disk_bound':(io()+rd(),[INFL,ps_state("    812       700 Ds    postgres    postgres\n"),ps_thr("    812     700 Ds   postgres   postgres: 15/main: app shop [local] SELECT\n"),CG]),
'backup_at_peak':(io()+rd()+[metric("process.cpu.utilization","process.command=tar process.pid=812",'level_up',.2)],[INFL,ps_state("    812       1 D    app    tar\n"),ps_maint("    812     800 root    310 tar           tar czf /b.tgz /srv\n"),CG]),
'backup light':(rd()+[metric("process.cpu.utilization","process.command=tar process.pid=812",'level_up',.3),metric("system.cpu.utilization","cpu.mode=user",'level_up',.5)],[ps_maint("    812     800 root    310 tar           tar czf /b.tgz /srv\n"),CG]),
'cron_storm':([metric("system.cpu.utilization",'','saturated',.99),metric("system.cpu.utilization","cpu.mode=user",'level_up',.95),metric("system.process.count",'','level_up',160),metric("system.process.running",'','level_up',20),metric("process.cpu.utilization","process.command=report.sh process.pid=700",'level_up',.3)],[ps_cron(cronjobs),ID]),
'cron_storm sleepers':([metric("system.process.count",'','level_up',160)],[ps_cron(cronjobs),ID]),
'fork flood not cron':([metric("system.process.count",'','level_up',160)],[]),
'disk_errors':([log("I/O error, dev sdb, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2"),log("Buffer I/O error on dev sdb1, logical block 0, async page read"),log("cp: error reading 'a': Input/output error")],[("dmesg -k --level=emerg,alert,crit,err","[  812.1] I/O error, dev sdb, sector 2048\n",0),("lsblk","sdb \nsdb1 /srv\n",0)]),
'disk_errors eio only':([log("cp: error reading 'a': Input/output error")],[("dmesg -k --level=emerg,alert,crit,err","[  812.1] Buffer I/O error on dev dm-0, logical block 0, async page read\n",0)]),
'read_only':([log("EXT4-fs error (device dm-0): trigger_test_error:127: comm sh: x",'critical'),log("EXT4-fs (dm-0): Remounting filesystem read-only",'critical'),log("touch: cannot touch '/srv/a': Read-only file system")],[("cat /proc/mounts","/dev/mapper/x /srv ext4 ro,relatime 0 0\n",0),("dmesg -k --level=emerg,alert,crit","EXT4-fs (dm-0): Remounting filesystem read-only\n",0)]),
'read_only remount':([log("touch: cannot touch '/srv/a': Read-only file system")],[("cat /proc/mounts","/dev/vdb1 /srv ext4 ro,relatime 0 0\n",0)]),
'read_only by disk errors':([log("Buffer I/O error on dev dm-0, logical block 12, lost sync page write"),log("EXT4-fs (dm-0): Remounting filesystem read-only",'critical'),log("touch: cannot touch '/srv/a': Read-only file system")],[("cat /proc/mounts","/dev/mapper/x /srv ext4 ro,relatime 0 0\n",0),("dmesg -k","Buffer I/O error on dev dm-0, logical block 12, lost sync page write\nEXT4-fs (dm-0): Remounting filesystem read-only\n",0)]),
'eros in sandboxed unit':([log("app: open /etc/x: read-only file system")],[]),
'disk_quota':([log("cp: error writing '/home/app/a': Disk quota exceeded")],[("cat /proc/self/mounts","/dev/vdb1 /home ext4 rw,quota,usrquota 0 0\n",0),("repquota","app       +-   20480   10240   20480  6days       9     0     0\n",0)]),
'disk_quota norep':([log("cp: error writing '/home/app/a': Disk quota exceeded")],[("cat /proc/self/mounts","/dev/vdb1 /home ext4 rw,quota,usrquota 0 0\n",0)]),
'lock_pileup logs':([log("canceling statement due to lock timeout",score=.65),metric("system.process.count",'','level_up',60,.6)],[ps_pg(pgw)]),
'lock_pileup metric only':([metric("system.process.count",'','level_up',60,.6),metric("system.network.connection.count","network.connection.state=established",'level_up',60,.6)],[ps_pg(pgw)]),
'lock_pileup mysql':([log("ERROR 1205 (HY000): Lock wait timeout exceeded; try restarting transaction",score=.65)],[]),
'auth_refused':([log("password authentication failed for user \"app\"",score=.65)],[]),
'auth_refused hba':([log("no pg_hba.conf entry for host \"10.0.0.5\", user \"app\", database \"shop\", no encryption",score=.65)],[("find /etc","- - /etc\0"+"1764000000.1 postgres /etc/postgresql/15/main/pg_hba.conf\0",1)]),
'no space only log':([log("write failed: No space left on device")],[]),
}
if __name__=='__main__':
    bad,syms,faults=check(load('all' not in sys.argv))
    for b in bad: print('BAD',b)
    names=[a for a in sys.argv[1:] if a!='all']
    for n,(f,a) in S.items():
        if names and n not in names: continue
        r=Inv(syms,faults,f,a+REST,SERIES,verbose=bool(names)).run()
        c=r[2] and (r[2][0],r[2][1],{k:v for k,v in r[2][2].items() if k in('pid','pids','unit','path','log','device','user','idle','mountpoint')})
        print(f'{n:26} -> {r[0]} {r[1]} {r[3][1:4]} cost {r[4]} n {r[5]}\n      {c}')
