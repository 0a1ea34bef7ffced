// Asks again and again: a fixed pause after each answer, longer ones while the server is away, none in a hidden tab.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from './client'

export interface Polled {
  error: ApiError | null
  /** When the last good answer came. */
  at: number | null
  loading: boolean
  refresh: () => void
}

/** Runs `ask` now and `pause()` ms after each answer; `null` stops it until `refresh`. */
export function usePoll(subject: string, ask: (signal: AbortSignal) => Promise<void>, pause: () => number | null): Polled {
  const [state, set] = useState<{ error: ApiError | null; at: number | null; loading: boolean }>({ error: null, at: null, loading: true })
  const now = useRef({ ask, pause })
  now.current = { ask, pause }
  const kick = useRef<() => void>(() => {})

  useEffect(() => {
    const stop = new AbortController()
    let timer = 0
    let failures = 0
    let busy = false
    let wanted = false
    set({ error: null, at: null, loading: true })
    const step = async () => {
      clearTimeout(timer)
      if (busy) {
        wanted = true
        return
      }
      busy = true
      try {
        await now.current.ask(stop.signal)
        failures = 0
        if (!stop.signal.aborted) set({ error: null, at: Date.now(), loading: false })
      } catch (e) {
        if (stop.signal.aborted) return
        failures++
        const error = e instanceof ApiError ? e : new ApiError(-1, String(e), 'internal')
        set((s) => ({ error, at: s.at, loading: false }))
      } finally {
        busy = false
      }
      if (stop.signal.aborted || document.hidden) return
      if (wanted) {
        wanted = false
        void step()
        return
      }
      const next = now.current.pause()
      if (failures > 0) timer = window.setTimeout(step, Math.min(10_000, 1000 * 2 ** Math.min(failures, 4)))
      else if (next !== null) timer = window.setTimeout(step, next)
    }
    const seen = () => !document.hidden && void step()
    kick.current = () => void step()
    document.addEventListener('visibilitychange', seen)
    addEventListener('online', seen)
    void step()
    return () => {
      stop.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
      removeEventListener('online', seen)
    }
  }, [subject])

  return { ...state, refresh: useCallback(() => kick.current(), []) }
}

/** The time, renewed every `ms`. */
export function useNow(ms: number): number {
  const [now, set] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), ms)
    return () => clearInterval(timer)
  }, [ms])
  return now
}
