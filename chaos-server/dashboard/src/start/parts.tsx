// A radio button with what it means, and a field with its hint.

import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

export function Choice({
  group,
  name,
  about,
  checked,
  disabled = false,
  onChoose,
  children,
}: {
  group: string
  name: string
  about: string
  checked: boolean
  disabled?: boolean
  onChoose: () => void
  children?: ComponentChildren
}) {
  return (
    <label
      class={`flex items-start gap-2 rounded border px-2.5 py-1.5 ${checked ? 'border-accent bg-accent-soft' : 'border-line'} ${disabled ? 'text-muted' : 'cursor-pointer hover:border-line-strong'}`}
    >
      <input class="mt-1" type="radio" name={group} checked={checked} disabled={disabled} onChange={onChoose} />
      <span class="min-w-0 [overflow-wrap:anywhere]">
        <span class="font-medium">{name}</span>
        <span class={`block text-xs ${checked ? 'text-text' : 'text-muted'}`}>
          {about} {children}
        </span>
      </span>
    </label>
  )
}

export function Field({ label, hint, children }: { label: string; hint: string; children: (hintId: string) => ComponentChildren }) {
  const id = useId()
  return (
    <label class="block min-w-0">
      <span class="mb-1 block font-medium first-letter:uppercase">{label}</span>
      {children(id)}
      <span id={id} class="mt-0.5 block text-xs text-muted">
        {hint}
      </span>
    </label>
  )
}
