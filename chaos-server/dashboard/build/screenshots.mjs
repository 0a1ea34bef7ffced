// Takes the screenshots that the README shows, of recorded incidents thought over by the real server.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { missing, startBrowser, startServer } from '../tests/harness.mjs'

if (missing()) process.exit(1)
const out = fileURLToPath(new URL('../screenshots/', import.meta.url))
mkdirSync(out, { recursive: true })
const server = await startServer()
const browser = await startBrowser()
const of = {}
for (const target of ['healthy', 'service_kill', 'cpu_spike', 'db_conn_exhaust']) {
  of[target] = await server.start(target)
  await server.over(of[target])
}
const take = async (name, hash, ready, options = {}) => {
  const page = await browser.page({ width: 1280, height: 800, ...options })
  await page.goto(`${server.url}/#/${hash}`)
  await page.locator(ready).first().waitFor()
  await page.waitForTimeout(600)
  await page.screenshot({ path: `${out}${name}.png` })
  await page.context().close()
}
await take('diagnosis', `incidents/${of.service_kill}/diagnosis`, 'text=Confidence over time')
await take('logs', `incidents/${of.db_conn_exhaust}/logs?evidence=0&rows=45-53&finding=0`, '[data-cited]')
await take('metrics', `incidents/${of.cpu_spike}/metrics`, 'canvas', { colorScheme: 'dark' })
await browser.close()
await server.end()
