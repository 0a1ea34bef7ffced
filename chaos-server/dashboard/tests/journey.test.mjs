// What a person does: start an incident, watch it, follow a finding to its evidence, read the fix, take the report.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { missing, shot, startBrowser, startServer } from './harness.mjs'
import { appliable, rehearsed } from './invent.mjs'

const REHEARSED = 'inc-20260101-001'
const APPLIABLE = 'inc-20260101-002'

describe('a journey', { skip: missing() }, () => {
  let server, browser, page, id
  before(async () => {
    server = await startServer({
      config: 'allow_apply = true\n[targets.here]\naddress = "local"\nallow_chaos = true\n',
      prepare(root) {
        rehearsed(root, REHEARSED)
        appliable(root, APPLIABLE, join(root, 'made'))
      },
    })
    id = await server.start('db_conn_exhaust')
    await server.over(id)
    browser = await startBrowser()
    page = await browser.page({ permissions: ['clipboard-read', 'clipboard-write'] })
  })
  after(async () => {
    await browser?.close()
    await server?.end()
  })

  test('the page is interactive within a second', async () => {
    // The best of some: a busy machine can only make it slower.
    const times = []
    for (let i = 0; i < 4; i++) {
      await page.goto('about:blank')
      await page.goto(`${server.url}/#/`, { waitUntil: 'commit' })
      await page
        .getByText('No incidents yet')
        .or(page.getByRole('link', { name: REHEARSED }))
        .first()
        .waitFor()
      times.push(Math.round(await page.evaluate(() => performance.now())))
    }
    console.error(`  the list can be used after ${times.join(', ')} ms`)
    assert.ok(Math.min(...times) < 3000, `${times} ms`)
  })

  test('an incident starts from the form, with the keyboard alone', async () => {
    await page.goto(`${server.url}/#/`)
    await page.getByRole('heading', { name: 'Incidents' }).waitFor()
    await page.keyboard.press('n')
    await page.getByRole('heading', { name: 'Start an incident' }).waitFor()
    const target = page.getByRole('radio', { name: /^db_conn_exhaust a recorded/ })
    await target.focus()
    await page.keyboard.press('Space')
    assert.ok(await page.getByRole('radio', { name: /^cpu_spike Keeps/ }).isDisabled(), 'no fault into a recording')
    await shot(page, 'start')
    const go = page.getByRole('button', { name: 'Look at db_conn_exhaust' })
    await go.focus()
    await page.keyboard.press('Enter')
    await page.waitForURL(/#\/incidents\/inc-/)
    id = page.url().split('/').pop()
    await page.getByText('completed', { exact: true }).first().waitFor()
    await page.getByText('A client holds all connections of a database').first().waitFor()
    await shot(page, 'diagnosis')
  })

  test('the timeline is filtered by agent, type and text', async () => {
    await page.goto(`${server.url}/#/incidents/${id}`)
    await page.getByRole('heading', { name: 'Conclusion' }).waitFor()
    const events = page.getByRole('list', { name: 'Events' }).getByRole('listitem')
    const total = Number(await events.first().getAttribute('aria-setsize'))
    assert.ok(total > 30)
    await page.getByRole('button', { name: /^LogAgent/ }).click()
    await page.getByText(/of \d+ events/).waitFor()
    const shown = Number(await events.first().getAttribute('aria-setsize'))
    assert.ok(shown > 3 && shown < total)
    for (const e of await events.all()) assert.match(await e.textContent(), /LogAgent/)
    await page.getByLabel('Type of event').selectOption('finding')
    await page.waitForFunction(() => document.querySelector('[aria-label="Events"] [role=listitem]')?.getAttribute('aria-setsize') === '2')
    await page.getByLabel('Search the timeline').fill('no such text')
    await page.getByText('No event matches the filter').waitFor()
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.waitForFunction(
      (n) => document.querySelector('[aria-label="Events"] [role=listitem]')?.getAttribute('aria-setsize') === String(n),
      total,
    )
  })

  test('one click leads from a finding to the lines that it cites, and one back', async () => {
    await page.goto(`${server.url}/#/incidents/${id}/diagnosis`)
    await page
      .getByRole('tabpanel')
      .getByRole('link', { name: /^journald, lines/ })
      .first()
      .click()
    await page.getByRole('tab', { name: /^Logs/, selected: true }).waitFor()
    const cited = page.locator('[data-cited]').filter({ hasText: 'order not stored' }).first()
    await cited.waitFor()
    assert.ok(await cited.isVisible())
    const box = await cited.boundingBox()
    assert.ok(box.y > 150 && box.y < 900, 'in view')
    await shot(page, 'logs')
    await cited.getByRole('link', { name: /cited by finding/ }).click()
    await page.getByRole('tab', { name: 'Diagnosis', selected: true }).waitFor()
    await page.waitForFunction(() => document.activeElement?.id.startsWith('finding-'))
    assert.match(await page.evaluate(() => document.activeElement.textContent), /order not stored/)
  })

  test('one click leads from a finding to the chart that it cites', async () => {
    await page.goto(`${server.url}/#/incidents/${id}/diagnosis`)
    await page
      .getByRole('tabpanel')
      .getByRole('link', { name: /^system\.memory\.utilization, \d+ samples/ })
      .first()
      .click()
    await page.locator('#cited-chart canvas').waitFor()
    assert.match(await page.locator('#cited-chart').textContent(), /system\.memory\.utilization/)
    await page.locator('#cited-chart').getByRole('img').hover()
    await page
      .getByText(/\d\d:\d\d:\d\d UTC$/)
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Zoom to the fault' }).click()
    assert.ok(await page.getByRole('button', { name: 'Whole window' }).isEnabled())
    await shot(page, 'metrics')
    await page.getByLabel('Search the metrics').fill('network.errors')
    await page.getByRole('heading', { name: 'system.network.errors' }).waitFor()
    await page.getByRole('button', { name: 'Whole window' }).click()
  })

  test('logs are searched, and grouped by template', async () => {
    await page.goto(`${server.url}/#/incidents/${id}`)
    await page.getByRole('tab', { name: /^Logs/ }).click()
    await page.getByLabel('Search the logs').fill('too many clients')
    await page.getByText(/^\d+ of \d+ lines kept/).waitFor()
    const lines = page.getByRole('list', { name: 'Log lines' }).getByRole('listitem')
    await page.locator('mark').first().waitFor()
    for (const line of await lines.all()) assert.match(await line.textContent(), /too many clients/)
    await page.getByLabel('Search the logs').fill('')
    await page.getByLabel('Group by template').check()
    const first = page.getByRole('list', { name: 'Templates' }).getByRole('button').first()
    assert.match(await first.textContent(), /cited/)
    await shot(page, 'templates')
    await first.click()
    assert.match(await lines.first().textContent(), /order not stored|too many clients/)
    await page.getByRole('button', { name: /show all templates/ }).click()
    await page.getByLabel('Least severe level').selectOption('error')
    for (const line of await lines.all()) assert.match(await line.textContent(), /error|crit|alert|emerg/)
  })

  test('the fix and its risk are shown, and fix.sh is copied as it is', async () => {
    await page.goto(`${server.url}/#/incidents/${id}`)
    await page.getByRole('tab', { name: /^Fix/ }).click()
    await page.getByRole('button', { name: 'Copy fix.sh' }).click()
    await page.getByText('Copied').waitFor()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    assert.equal(copied, await (await fetch(`${server.url}/incidents/${id}/artifacts/fix.sh`)).text())
    await page.getByText('This target is a recording').waitFor()
    await page.getByRole('tab', { name: 'Risk' }).click()
    await page.getByText('Blast radius').waitFor()
    await shot(page, 'risk')
  })

  test('a rehearsal shows the files that would change, with their diff', async () => {
    await page.goto(`${server.url}/#/incidents/${REHEARSED}/fix`)
    await page.getByText('It would change 2 files').waitFor()
    await page.getByText('+  keepalive_timeout 65;').waitFor()
    await page.getByText('/run/nginx.pid').waitFor()
    await page.getByText('It would call').scrollIntoViewIfNeeded()
    await shot(page, 'fix')
  })

  test('the reports are downloaded whole', async () => {
    await page.goto(`${server.url}/#/incidents/${id}/files`)
    const { pdf } = await (await fetch(`${server.url}/me`)).json()
    for (const format of ['md', 'html', ...(pdf ? ['pdf'] : [])]) {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: `report.${format}`, exact: true }).click(),
      ])
      assert.equal(download.suggestedFilename(), `${id}-report.${format}`)
      const got = readFileSync(await download.path())
      const want = Buffer.from(await (await fetch(`${server.url}/report/${id}?format=${format}`)).arrayBuffer())
      if (format === 'pdf') assert.equal(got.subarray(0, 5).toString(), '%PDF-')
      else assert.ok(got.equals(want) && got.length > 1000, format)
    }
    if (!pdf) await page.getByText('built without PDF').waitFor()
    await page.getByRole('article', { name: 'The report' }).getByRole('heading', { name: 'Root cause' }).waitFor()
    await page.getByRole('article', { name: 'The report' }).getByRole('link', { name: 'F1' }).first().click()
    await page.waitForFunction(() => document.activeElement?.id === 'report-f1')
    await shot(page, 'report')
  })

  test('a live incident is watched, and stopped', async () => {
    await page.goto(`${server.url}/#/new`)
    await page.getByRole('radio', { name: /^here/ }).check()
    await page.getByLabel('Observation').fill('120')
    await page.getByRole('button', { name: 'Look at here' }).click()
    await page.getByText('running', { exact: true }).waitFor()
    await page.getByRole('list', { name: 'Phases' }).waitFor()
    await page.getByRole('list', { name: 'Events' }).getByText('watching the target for 120 s').waitFor()
    await shot(page, 'running')
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.waitFor()
    await dialog.getByRole('button', { name: 'Stop it' }).click()
    await page.getByText('stopped', { exact: true }).first().waitFor({ timeout: 20_000 })
  })

  test('a live incident runs to its end while it is watched', async () => {
    await page.goto(`${server.url}/#/new`)
    await page.getByRole('radio', { name: /^here/ }).check()
    await page.getByLabel('Observation').fill('4')
    await page.getByRole('button', { name: 'Look at here' }).click()
    const events = page.getByRole('list', { name: 'Events' })
    await events.getByText('watching the target for 4 s').waitFor()
    const before = await events.getByRole('listitem').count()
    await page.getByText('completed', { exact: true }).first().waitFor({ timeout: 25_000 })
    await page.getByRole('heading', { name: 'Conclusion' }).waitFor()
    assert.ok(Number(await events.getByRole('listitem').first().getAttribute('aria-setsize')) > before)
    // It followed: the end is in view without a hand on it.
    assert.ok(await events.getByText(/^completed: /).isVisible())
    await page.getByRole('tab', { name: /^Metrics/ }).click()
    await page.locator('canvas').first().waitFor()
  })

  test('a plan is approved and applied through the page, which says so while it goes on', async () => {
    await page.goto(`${server.url}/#/incidents/${APPLIABLE}/fix`)
    await page.getByLabel('Reason').fill('it is harmless')
    await page.getByRole('button', { name: /^Approve [0-9a-f]{8}$/ }).click()
    await page.getByText(/was approved by/).waitFor()
    await page.getByRole('checkbox', { name: /^Run these/ }).check()
    assert.ok(!existsSync(join(server.root, 'made')))
    await page.getByRole('button', { name: 'Apply to here' }).click()
    await page.getByText('applying', { exact: true }).waitFor()
    await page.getByText('It is being applied').waitFor()
    assert.equal((await (await fetch(`${server.url}/status/${APPLIABLE}`)).json()).status, 'applying')
    await shot(page, 'applying')
    await page.getByText('completed', { exact: true }).first().waitFor({ timeout: 30_000 })
    await page.getByText('It was applied once').waitFor()
    await page
      .getByRole('list', { name: 'Events' })
      .getByText(/do: touch .*: ok/)
      .waitFor()
    assert.ok(existsSync(join(server.root, 'made')))
    await shot(page, 'applied')
  })

  test('a fault is ended through the page, with proof', async () => {
    const answer = await fetch(`${server.url}/start_incident`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ target: 'here', scenario: 'cpu_spike', options: { baseline: 1, observe: 300, args: { load: 1 } } }),
    })
    const { incident_id: broken } = await answer.json()
    await page.goto(`${server.url}/#/incidents/${broken}`)
    await page.getByRole('list', { name: 'Phases' }).getByText('observe, now').waitFor({ timeout: 60_000 })
    await page.getByRole('button', { name: 'Reset target' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Reset it' }).click()
    await dialog.getByText('Proven: no fault of ours is left').waitFor({ timeout: 60_000 })
    await dialog.getByText('cpu_spike: proven').waitFor()
    await shot(page, 'reset')
    await dialog.getByRole('button', { name: 'Close' }).click()
    await page.getByText('stopped', { exact: true }).first().waitFor({ timeout: 20_000 })
  })

  test('a fault wants a tick before it is injected', async () => {
    await page.goto(`${server.url}/#/new`)
    await page.getByRole('radio', { name: /^here/ }).check()
    await page.getByRole('radio', { name: /^net_latency Delays/ }).check()
    const inject = page.getByRole('button', { name: 'Inject net_latency into here' })
    assert.ok(await inject.isDisabled())
    await page.getByLabel(/^delay ms/i).fill('no number')
    await page.getByRole('checkbox', { name: /breaks here on purpose/ }).check()
    await shot(page, 'start-fault')
    await inject.click()
    const alert = page.getByRole('alert')
    await alert.getByText('It was not started').waitFor()
    assert.match(await alert.textContent(), /delay_ms|delay-ms/)
  })

  test('the list is searched and filtered, and its address keeps that', async () => {
    await server.start('disk_fill')
    await page.goto(`${server.url}/#/`)
    await page.getByRole('link', { name: id }).waitFor()
    await page.getByLabel('Search id, target or cause').fill('file system')
    await page.waitForURL(/q=file/)
    await page.getByRole('link', { name: id }).waitFor({ state: 'detached' })
    await page.getByLabel('Status').selectOption('failed')
    await page.getByText('No incident matches').waitFor()
    await page.reload()
    await page.getByText('No incident matches').waitFor()
    await page.getByRole('button', { name: 'Clear the filters' }).click()
    await page.getByRole('link', { name: id }).waitFor()
    await shot(page, 'list')
  })

  test('nothing went wrong in the page meanwhile', () => {
    const expected = /status of 400/
    assert.deepEqual(
      page.problems.filter((p) => !expected.test(p)),
      [],
    )
  })
})
