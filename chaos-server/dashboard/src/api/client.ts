// Talks to the server: adds the token, tells a refusal from an unreachable server, and gives up after a time.

import type { Me } from './types'

const KEY = 'chaos-handler.token'

/** A server that answered with a problem, or did not answer (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly kind: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }

  get offline(): boolean {
    return this.status === 0
  }
}

export const token = {
  get: (): string | null => sessionStorage.getItem(KEY),
  set: (value: string) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
}

let onUnauthenticated: () => void = () => {}

/** What to do when the server wants another token. */
export function whenUnauthenticated(f: () => void) {
  onUnauthenticated = f
}

async function problem(response: Response): Promise<ApiError> {
  let detail = `the server answered ${response.status} ${response.statusText}`.trim()
  let kind = 'internal'
  try {
    const body = (await response.json()) as { detail?: unknown; title?: unknown; kind?: unknown }
    if (typeof body.detail === 'string') detail = body.detail
    else if (typeof body.title === 'string') detail = body.title
    if (typeof body.kind === 'string') kind = body.kind
  } catch {
    // Not a problem document: the status line has to do.
  }
  const after = Number(response.headers.get('retry-after'))
  return new ApiError(response.status, detail, kind, Number.isFinite(after) && after > 0 ? after : null)
}

interface Options {
  method?: 'GET' | 'POST'
  body?: unknown
  signal?: AbortSignal
  seconds?: number
}

async function send(path: string, { method = 'GET', body, signal, seconds = 30 }: Options): Promise<Response> {
  const headers: Record<string, string> = {}
  const known = token.get()
  if (known) headers.authorization = `Bearer ${known}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  const limits = [AbortSignal.timeout(seconds * 1000)]
  if (signal) limits.push(signal)
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.any(limits),
      cache: 'no-store',
      redirect: 'error',
    })
  } catch (e) {
    if (signal?.aborted) throw e
    const late = e instanceof DOMException && e.name === 'TimeoutError'
    throw new ApiError(0, late ? `the server did not answer within ${seconds} s` : 'the server cannot be reached', 'offline')
  }
  if (response.ok) return response
  const error = await problem(response)
  if (error.status === 401) onUnauthenticated()
  throw error
}

const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Characters that only reorder what is around them are made visible: a host's text must not change how ours reads. */
export function visible(text: string): string {
  return text.replace(BIDI, (c) => `<U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}>`)
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return JSON.parse(visible(await (await send(path, { signal })).text())) as T
}

export async function post<T>(path: string, body?: unknown, seconds = 30): Promise<T> {
  return (await (await send(path, { method: 'POST', body, seconds })).json()) as T
}

/** A file, exactly as it is. */
export async function text(path: string, signal?: AbortSignal): Promise<string> {
  return (await send(path, { signal })).text()
}

export async function blob(path: string): Promise<Blob> {
  return (await send(path, { seconds: 120 })).blob()
}

export const me = () => get<Me>('/me')

/** The address of an incident's file. */
export function fileUrl(id: string, name: string): string {
  return `/incidents/${encodeURIComponent(id)}/artifacts/${name.split('/').map(encodeURIComponent).join('/')}`
}

/** Saves a file; by way of a blob, since a link can't send a token. */
export async function save(path: string, name: string): Promise<void> {
  const url = URL.createObjectURL(await blob(path))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
