// Asks for a token. It is kept for this tab only.

import { useState } from 'preact/hooks'
import { token } from './api/client'
import { Icon } from './ui/icons'
import { Notice } from './ui/parts'

export function LoginPage({ onToken, rejected }: { onToken: () => Promise<void>; rejected: boolean }) {
  const [busy, setBusy] = useState(false)
  const [value, setValue] = useState('')
  const submit = async (e: Event) => {
    e.preventDefault()
    token.set(value.trim())
    setBusy(true)
    await onToken()
    setBusy(false)
  }
  return (
    <main class="grid min-h-full place-items-center p-4">
      <form class="panel w-full max-w-sm space-y-3 p-5" onSubmit={submit}>
        <h1 class="flex items-center gap-2 text-base font-semibold">
          <Icon name="key" class="text-accent" /> Sign in to AI Chaos-Handler
        </h1>
        <p class="text-muted">This server asks for a token. It is kept until this tab is closed, and sent to this server only.</p>
        {rejected && !busy && <Notice tone="bad">The server does not know this token.</Notice>}
        <label class="block">
          <span class="mb-1 block font-medium">Token</span>
          <input
            class="field mono"
            type="password"
            autocomplete="off"
            spellcheck={false}
            required
            autofocus
            value={value}
            onInput={(e) => setValue(e.currentTarget.value)}
          />
        </label>
        <button class="btn btn-primary w-full" disabled={busy || !value.trim()}>
          {busy ? 'Asking the server' : 'Sign in'}
        </button>
      </form>
    </main>
  )
}
