// Light or dark: what the person chose here, else what the system says.

import { useEffect, useState } from 'preact/hooks'

export type Choice = 'system' | 'light' | 'dark'
const KEY = 'chaos-handler.theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

function stored(): Choice {
  const value = localStorage.getItem(KEY)
  return value === 'light' || value === 'dark' ? value : 'system'
}

export const isDark = () => document.documentElement.dataset.theme === 'dark'

export function applyTheme() {
  const choice = stored()
  const on = choice === 'dark' || (choice === 'system' && dark.matches)
  document.documentElement.dataset.theme = on ? 'dark' : 'light'
  for (const f of listeners) f()
}

export function chooseTheme(choice: Choice) {
  if (choice === 'system') localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, choice)
  applyTheme()
}

dark.addEventListener('change', applyTheme)

/** The choice and whether it is dark now. */
export function useTheme(): { choice: Choice; dark: boolean } {
  const [, again] = useState(0)
  useEffect(() => {
    const f = () => again((n) => n + 1)
    listeners.add(f)
    return () => void listeners.delete(f)
  }, [])
  return { choice: stored(), dark: isDark() }
}
