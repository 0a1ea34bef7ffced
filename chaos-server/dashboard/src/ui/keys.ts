// Keys that work anywhere but in a field. Single keys can be turned off (WCAG 2.1.4).

import { useEffect, useRef } from 'preact/hooks'

const KEY = 'chaos-handler.keys'
export const keysOn = () => localStorage.getItem(KEY) !== 'off'
export const setKeys = (on: boolean) => (on ? localStorage.removeItem(KEY) : localStorage.setItem(KEY, 'off'))

export function useKeys(keys: Record<string, () => void>) {
  const now = useRef(keys)
  now.current = keys
  useEffect(() => {
    const f = (e: KeyboardEvent) => {
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || !keysOn()) return
      const at = e.target as HTMLElement
      if (at.closest('input, textarea, select, dialog')) return
      const act = now.current[e.key]
      if (act) {
        e.preventDefault()
        act()
      }
    }
    addEventListener('keydown', f)
    return () => removeEventListener('keydown', f)
  }, [])
}
