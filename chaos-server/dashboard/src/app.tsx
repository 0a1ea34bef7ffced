// The frame of all pages: who we are, where we are, the theme, the keys.

import { useCallback, useEffect, useState } from 'preact/hooks'
import { ApiError, me as askMe, token, whenUnauthenticated } from './api/client'
import type { Me } from './api/types'
import { IncidentPage } from './incident/page'
import { ListPage } from './list/page'
import { LoginPage } from './login'
import { PluginsPage } from './plugins/page'
import { go, href, useRoute } from './route'
import { SessionContext } from './session'
import { StartPage } from './start/page'
import { chooseTheme, useTheme } from './theme'
import { Icon } from './ui/icons'
import { keysOn, setKeys, useKeys } from './ui/keys'
import { Empty, Loading, Modal, Notice } from './ui/parts'

export function App() {
  const [me, setMe] = useState<Me | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const check = useCallback(async () => {
    try {
      setMe(await askMe())
      setError(null)
    } catch (e) {
      setError(e instanceof ApiError ? e : new ApiError(-1, String(e), 'internal'))
    }
  }, [])
  const signOut = useCallback(() => {
    token.clear()
    void check()
  }, [check])
  useEffect(() => {
    whenUnauthenticated(() => setMe((m) => (m ? { ...m, role: null } : m)))
    void check()
  }, [check])
  useEffect(() => {
    if (!error || me) return
    const timer = setTimeout(check, 3000)
    return () => clearTimeout(timer)
  }, [error, me, check])

  if (!me) {
    return (
      <main class="mx-auto max-w-lg p-6">
        {error ? (
          <Notice
            tone="bad"
            title="The server does not answer"
            action={
              <button type="button" class="btn" onClick={check}>
                Try again
              </button>
            }
          >
            {error.message}. It is tried again every 3 seconds.
          </Notice>
        ) : (
          <Loading what="the dashboard" />
        )}
      </main>
    )
  }
  if (me.role === null) return <LoginPage onToken={check} rejected={token.get() !== null} />
  return (
    <SessionContext.Provider value={{ me, signOut }}>
      <Frame me={me} signOut={signOut} />
    </SessionContext.Provider>
  )
}

function Frame({ me, signOut }: { me: Me; signOut: () => void }) {
  const route = useRoute()
  const [help, setHelp] = useState(false)
  useKeys({
    '?': () => setHelp(true),
    i: () => go(href([])),
    n: () => go(href(['new'])),
    p: () => go(href(['plugins'])),
    '/': () => document.querySelector<HTMLInputElement>('[data-search]')?.focus(),
  })
  const [first, second, tab] = route.path
  useEffect(() => {
    document.title = first === 'incidents' && second ? `${second} – AI Chaos-Handler` : 'AI Chaos-Handler'
  }, [first, second])
  let page = (
    <Empty title="There is no such page">
      <a class="link" href={href([])}>
        To the incidents
      </a>
    </Empty>
  )
  if (first === undefined) page = <ListPage query={route.query} />
  else if (first === 'new') page = <StartPage />
  else if (first === 'plugins') page = <PluginsPage />
  else if (first === 'incidents' && second) page = <IncidentPage key={second} id={second} tab={tab} query={route.query} />
  const nav = (path: string[], label: string, current: boolean) => (
    <a
      href={href(path)}
      aria-current={current ? 'page' : undefined}
      class={`rounded px-2 py-1 ${current ? 'bg-accent-soft font-semibold text-accent' : 'text-muted hover:text-text'}`}
    >
      {label}
    </a>
  )
  return (
    <div class="flex h-full flex-col">
      <a
        href="#main"
        class="btn btn-primary sr-only focus:not-sr-only focus:absolute focus:z-20"
        onClick={(e) => {
          e.preventDefault()
          document.getElementById('main')?.focus()
        }}
      >
        Skip to the content
      </a>
      <header class="flex flex-none items-center gap-1 border-b border-line bg-panel px-3 py-1 sm:gap-2">
        <a href={href([])} class="flex items-center gap-2 rounded py-1 pr-2 font-semibold" aria-label="AI Chaos-Handler, incidents">
          <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true" class="text-accent">
            <path
              d="M1 17h8l3-10 6 20 5-14 2 4h6"
              fill="none"
              stroke="currentColor"
              stroke-width="3"
              stroke-linecap="round"
              stroke-linejoin="round"
            />
          </svg>
          <span class="hidden sm:inline">AI Chaos-Handler</span>
        </a>
        <nav aria-label="Pages" class="flex gap-1">
          {nav([], 'Incidents', first === undefined)}
          {nav(['new'], 'Start', first === 'new')}
          {nav(['plugins'], 'Plugins', first === 'plugins')}
        </nav>
        <div class="ml-auto flex items-center gap-1">
          {me.auth_required && (
            <button
              type="button"
              class="btn btn-quiet max-sm:hidden"
              onClick={signOut}
              title={`${me.name ?? ''}, role ${me.role ?? 'none'}`}
            >
              <Icon name="key" />
              <span class="max-w-40 truncate">Sign out {me.name}</span>
            </button>
          )}
          <ThemeButton />
          <button type="button" class="btn btn-quiet" aria-label="Keys and help" title="Keys and help (?)" onClick={() => setHelp(true)}>
            <Icon name="help" />
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1} class="min-h-0 flex-1 overflow-y-auto focus:outline-none">
        {page}
      </main>
      {help && <Help me={me} signOut={signOut} onClose={() => setHelp(false)} />}
    </div>
  )
}

function ThemeButton() {
  const { choice } = useTheme()
  const next = ({ system: 'light', light: 'dark', dark: 'system' } as const)[choice]
  const icon = ({ system: 'auto', light: 'sun', dark: 'moon' } as const)[choice]
  return (
    <button
      type="button"
      class="btn btn-quiet"
      aria-label={`Theme: ${choice}. Change to ${next}`}
      title={`Theme: ${choice}`}
      onClick={() => chooseTheme(next)}
    >
      <Icon name={icon} />
    </button>
  )
}

const KEYS: [string, string][] = [
  ['i', 'incidents'],
  ['n', 'start an incident'],
  ['p', 'plugins'],
  ['/', 'search on this page'],
  ['r', 'refresh'],
  ['1 to 7', 'panels of an incident'],
  ['j k or arrows', 'next and previous row of a list that has the focus'],
  ['Enter', 'open or close a row'],
  ['?', 'this help'],
]

function Help({ me, signOut, onClose }: { me: Me; signOut: () => void; onClose: () => void }) {
  const [on, set] = useState(keysOn())
  return (
    <Modal title="Keys and help" onClose={onClose}>
      <dl class="grid grid-cols-[8rem_1fr] gap-y-1">
        {KEYS.map(([key, what]) => (
          <>
            <dt key={key} class="mono">
              {key}
            </dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
      <label class="mt-3 flex items-center gap-2">
        <input
          type="checkbox"
          checked={on}
          onChange={(e) => {
            setKeys(e.currentTarget.checked)
            set(e.currentTarget.checked)
          }}
        />
        Single keys are on
      </label>
      <p class="mt-3 text-muted">
        Server {me.version}. You are {me.name ?? 'unknown'}, with the role {me.role}. The API:{' '}
        <a class="link" href="/docs">
          /docs
        </a>
        . All times are UTC.
      </p>
      <div class="mt-4 flex justify-end gap-2">
        {me.auth_required && (
          <button type="button" class="btn" onClick={signOut}>
            Sign out
          </button>
        )}
        <button type="button" class="btn btn-primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Modal>
  )
}
