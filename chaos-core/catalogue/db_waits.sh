# Prints which sessions of the databases on this host hold locks that others wait for, and wait for none themselves:
# server, id (PostgreSQL: of its process), state, user, database, age of its transaction in seconds, how many wait. A
# line each. Asks as the servers' own administrator where it may; reads only.
# shellcheck shell=sh
as=''
if [ "$(id -u)" = 0 ] && id postgres >/dev/null 2>&1 && command -v runuser >/dev/null 2>&1; then as='runuser -u postgres --'; fi
cd / || exit
if command -v psql >/dev/null 2>&1; then
  PGCONNECT_TIMEOUT=3 PGOPTIONS='-c default_transaction_read_only=on -c statement_timeout=4s -c lock_timeout=1s' \
    $as psql -XAtqw -F ' ' -d postgres -c "
    select 'postgresql', b.pid, coalesce(replace(b.state, ' ', '_'), '-'), coalesce(b.usename, '-'), coalesce(b.datname, '-'),
      coalesce(extract(epoch from now() - b.xact_start)::bigint, 0),
      (select count(*) from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0)
    from pg_stat_activity w cross join lateral unnest(pg_blocking_pids(w.pid)) as p(pid)
    join pg_stat_activity b on b.pid = p.pid
    where cardinality(pg_blocking_pids(b.pid)) = 0
    group by 1, 2, 3, 4, 5, 6 order by 7 desc, 6 desc limit 20" 2>/dev/null
fi
for client in mariadb mysql; do
  command -v "$client" >/dev/null 2>&1 || continue
  "$client" --connect-timeout=3 -N -B -e "
    set session transaction read only;
    select 'mysql', t.trx_mysql_thread_id, lower(replace(p.command, ' ', '_')), p.user, coalesce(p.db, '-'),
      timestampdiff(second, t.trx_started, now()),
      (select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT')
    from information_schema.innodb_trx t join information_schema.processlist p on p.id = t.trx_mysql_thread_id
    where t.trx_state = 'RUNNING' and exists (select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT')
    order by t.trx_started limit 5" 2>/dev/null | tr '\t' ' '
  break
done
