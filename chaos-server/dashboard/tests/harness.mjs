// Starts the real server on a directory of its own and the real browser on it. Where either is missing the tests are
// skipped with a reason, and fail in CI.
//
// CHAOS_HANDLER: the binary (default: the workspace's debug build). CHROMIUM: the browser. OUTPUT: where screenshots
// go. DIST=1: take the dashboard's files from dist/ instead of those in the binary, with the server's own headers.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const here = dirname(fileURLToPath(import.meta.url))
export const workspace = join(here, '../../..')
export const incidents = join(workspace, 'examples/incidents')
const binary = process.env.CHAOS_HANDLER ?? join(workspace, 'target/debug/chaos-handler')
const browserPath =
  process.env.CHROMIUM ??
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync) ??
  '/usr/bin/chromium'
const output = process.env.OUTPUT ?? join(here, '../output')
const dist = join(here, '../dist')

/** Why nothing can be tested here, or false. */
export function missing() {
  for (const [what, path, how] of [
    ['the server', binary, 'cargo build, or set CHAOS_HANDLER'],
    ['chromium', browserPath, 'install it, or set CHROMIUM'],
  ]) {
    if (existsSync(path)) continue
    const why = `${what} is not at ${path} (${how})`
    if (process.env.CI) throw new Error(why)
    console.error(`skipped: ${why}`)
    return why
  }
  return false
}

/** A server with replay targets of the recorded examples; `config` is more of its configuration. */
export async function startServer({ config = '', prepare = () => {} } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'dashboard-test-'))
  const names = ['cpu_spike', 'db_conn_exhaust', 'disk_fill', 'memory_leak', 'net_latency', 'service_kill', 'healthy']
  const targets = names.map((n) => `[targets.${n}]\nreplay = ${JSON.stringify(join(incidents, n))}\n`).join('')
  writeFileSync(join(dir, 'config.toml'), `${config}\n${targets}`)
  const root = join(dir, 'incidents')
  mkdirSync(root)
  prepare(root)
  const child = spawn(binary, ['--config', join(dir, 'config.toml'), '--incidents', root, 'serve', '--listen', '127.0.0.1:0', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  let said = ''
  child.stderr.on('data', (d) => (said += d))
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)))
    setTimeout(() => reject(new Error(`the server is not ready: ${said}`)), 20_000).unref()
  })
  const url = JSON.parse(line).listening
  return {
    url,
    root,
    async start(target) {
      const answer = await fetch(`${url}/start_incident`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ target }),
      })
      const { incident_id: id } = await answer.json()
      if (!id) throw new Error(`${target} was not started: ${answer.status}`)
      return id
    },
    async over(id, headers = {}) {
      for (let i = 0; i < 200; i++) {
        const { status } = await (await fetch(`${url}/status/${id}?after=999999999`, { headers })).json()
        if (status !== 'running' && status !== 'queued') return status
        await new Promise((r) => setTimeout(r, 50))
      }
      throw new Error(`${id} does not end`)
    },
    async stop() {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
    async end() {
      await this.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** A browser; every page of it collects what went wrong in it. */
export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: browserPath,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  return {
    async page({ width = 1440, height = 900, colorScheme = 'light', permissions = [] } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme,
        permissions,
        reducedMotion: 'reduce',
        acceptDownloads: true,
      })
      const page = await context.newPage()
      const problems = []
      page.on('pageerror', (e) => problems.push(`error: ${e.message}`))
      page.on('console', (m) => m.type() === 'error' && problems.push(`console: ${m.text()}`))
      page.on(
        'request',
        (r) => /^https?:/.test(r.url()) && !r.url().startsWith('http://127.0.0.1:') && problems.push(`request to ${r.url()}`),
      )
      if (process.env.DIST) {
        await context.route(/\/(assets\/[^?]*|favicon\.ico|)$/, async (route) => {
          const path = new URL(route.request().url()).pathname
          const name = path === '/' ? 'index.html' : path === '/favicon.ico' ? 'favicon.svg' : path.slice(1)
          const real = await route.fetch({ url: new URL('/', route.request().url()).href })
          const { 'content-length': _, 'content-encoding': __, etag: ___, ...headers } = real.headers()
          await route.fulfill({
            status: 200,
            headers: { ...headers, 'content-type': TYPES[name.split('.').pop()] },
            body: readFileSync(join(dist, name)),
          })
        })
      }
      return Object.assign(page, { problems })
    },
    close: () => browser.close(),
  }
}

export async function shot(page, name) {
  mkdirSync(output, { recursive: true })
  await page.screenshot({ path: join(output, `${name}.png`) })
}
