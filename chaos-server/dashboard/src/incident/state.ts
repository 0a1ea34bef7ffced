// All that is known of one incident: its trace grows by polling, the rest is read again when the trace says that it
// changed.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, fileUrl, get, text, visible } from '../api/client'
import { usePoll } from '../api/poll'
import type { Detail, IncidentJson, MetricsJson, StatusView, TraceEvent } from '../api/types'
import { type Seen, seenFromFiles, seenFromJson } from './seen'

export interface IncidentState {
  status: StatusView | null
  events: TraceEvent[]
  detail: Detail | null
  json: IncidentJson | null
  seen: Seen | null
  /** Why what was seen could not be loaded. */
  seenError: string | null
  seenLoading: boolean
  error: ApiError | null
  at: number | null
  refresh: () => void
}

const LIVE = 1000
const OVER = 10_000

/** Whether the run has ended; a plan may be applied then. */
export function isOver(status: string | undefined): boolean {
  return status !== undefined && status !== 'running' && status !== 'queued'
}

/** Whether a plan is being applied. */
export function isApplying(status: StatusView | null): boolean {
  return status?.status === 'applying'
}

/**
 * Whether an application did not come to its end. An approval is an event of the phase `apply` as well, and is taken away
 * when the application begins.
 */
export function isCutOff(status: StatusView | null, detail: Detail | null): boolean {
  return status?.phase === 'apply' && !isApplying(status) && detail?.status === status.status && !detail.approval && !detail.applied
}

export function useIncident(id: string): IncidentState {
  const [status, setStatus] = useState<StatusView | null>(null)
  const [events, setEvents] = useState<TraceEvent[]>([])
  const [detail, setDetail] = useState<Detail | null>(null)
  const [json, setJson] = useState<IncidentJson | null>(null)
  const [seen, setSeen] = useState<Seen | null>(null)
  const [seenError, setSeenError] = useState<string | null>(null)
  const [seenLoading, setSeenLoading] = useState(false)
  const last = useRef(-1)
  const asked = useRef('')
  const loaded = useRef('')
  const forced = useRef(0)

  const load = useCallback(
    async (d: Detail) => {
      // What was seen does not change once it is written; a damaged file is not asked for again and again.
      const names = new Set(d.files.map((f) => f.name))
      const final = isOver(d.status) && names.has('incident.json')
      const which = final ? `json ${forced.current}` : names.has('metrics.json') ? 'files' : ''
      if (!which || loaded.current === which) return
      loaded.current = which
      setSeenLoading(true)
      try {
        if (final) {
          const incident = await get<IncidentJson>(fileUrl(id, 'incident.json'))
          setJson(incident)
          setSeen(seenFromJson(incident))
        } else {
          const metrics = await get<MetricsJson>(fileUrl(id, 'metrics.json'))
          const logs = names.has('raw_logs.txt') ? visible(await text(fileUrl(id, 'raw_logs.txt'))) : ''
          setSeen(seenFromFiles(metrics, logs))
        }
        setSeenError(null)
      } catch (e) {
        loaded.current = ''
        setSeenError(e instanceof Error ? e.message : String(e))
      } finally {
        setSeenLoading(false)
      }
    },
    [id],
  )

  const poll = usePoll(
    id,
    async (signal) => {
      const now = await get<StatusView>(`/status/${encodeURIComponent(id)}?after=${last.current}`, signal)
      const key = `${now.status} ${now.phase} ${isOver(now.status) ? now.last_seq : ''} ${forced.current}`
      let failure: unknown = null
      let fresher: Detail | null = null
      if (asked.current !== key) {
        // Shown together with the status: each says something of the other.
        fresher = await get<Detail>(`/incidents/${encodeURIComponent(id)}`, signal).catch((e: unknown) => ((failure = e), null))
      }
      const fresh = now.trace.filter((e) => e.seq > last.current)
      if (fresh.length) {
        last.current = fresh[fresh.length - 1]?.seq ?? last.current
        setEvents((known) => known.concat(fresh))
      }
      setStatus({ ...now, trace: [] })
      if (fresher) {
        asked.current = key
        setDetail(fresher)
        void load(fresher)
      }
      if (failure !== null) throw failure
    },
    () => (!status || !isOver(status.status) || isApplying(status) ? LIVE : OVER),
  )

  const refresh = useCallback(() => {
    forced.current++
    poll.refresh()
  }, [poll.refresh])

  useEffect(() => {
    last.current = -1
    asked.current = ''
    loaded.current = ''
  }, [id])

  return { status, events, detail, json, seen, seenError, seenLoading, error: poll.error, at: poll.at, refresh }
}
