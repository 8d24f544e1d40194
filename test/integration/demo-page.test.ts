import { readdir, readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import path from 'node:path'

import { beforeAll, describe, expect, test } from '@jest/globals'

import { http, type HttpAnswer } from '../support/http.js'
import { startNode, type TestNode } from '../support/node.js'
import { RedisServer } from '../support/redis.js'
import { useFileScope } from '../support/scope.js'
import { ensureBuilt } from '../support/spawned.js'

const SOURCES = path.resolve(import.meta.dirname, '..', '..', 'src', 'demo')

const scope = useFileScope()
let node: TestNode
let page: HttpAnswer
let script: HttpAnswer
let styles: HttpAnswer
let friendsStyles: HttpAnswer

beforeAll(async () => {
  await ensureBuilt()
  const redis = await RedisServer.start(scope)
  node = await startNode(scope, { redisUrl: redis.url })
  ;[page, script, styles, friendsStyles] = await Promise.all(['/demo', '/demo/demo.js', '/demo/demo.css', '/demo/friends.css'].map((file) => http(node.port, file))) as [HttpAnswer, HttpAnswer, HttpAnswer, HttpAnswer]
}, 150_000)

describe('the demo page', () => {
  test('each of its files is there, as what it is', async () => {
    expect([page.status, script.status, styles.status]).toEqual([200, 200, 200])
    expect([page.type, script.type, styles.type].map((type) => type.split(';')[0])).toEqual(['text/html', 'text/javascript', 'text/css'])
    const named = [...page.text.matchAll(/(?:src|href)="(\/demo\/[^"]+)"/g)].map(([, file]) => file ?? '')
    expect(named.sort()).toEqual(['/demo/demo.css', '/demo/demo.js', '/demo/friends.css', '/demo/icon.svg'])
    for (const file of named) expect(await http(node.port, file)).toMatchObject({ status: 200 })
  })

  test('its policy lets in nothing but its own files', () => {
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toMatch(/(?:^|;)\s*script-src 'self'(?:;|$)/)
    expect(policy).toMatch(/(?:^|;)\s*style-src 'self'(?:;|$)/)
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
  })

  test('nothing in it is inline, and nothing comes from elsewhere', () => {
    expect(page.text).not.toMatch(/<style|\sstyle=|\son[a-z]+=|="javascript:/i)
    expect([...page.text.matchAll(/<script\b[^>]*>/g)].map(([tag]) => tag)).toEqual(['<script type="module" src="/demo/demo.js">'])
    expect(page.text).not.toMatch(/(?:src|href|action)="(?!\/|#)/)
    for (const { text } of [styles, friendsStyles]) expect(text).not.toMatch(/@import|url\(/)
  })

  test('its script has nothing of Node, evaluates nothing and writes no HTML', () => {
    const modules = [...script.text.matchAll(/(?:\bfrom|\bimport|\brequire\()\s*["']([^"']+)["']/g)].map(([, name]) => name ?? '')
    expect(modules.filter((name) => name.startsWith('node:') || builtinModules.includes(name))).toEqual([])
    expect(script.text).not.toMatch(/\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write)\b|\beval\(|\bnew Function\b/)
  })

  test('every element that the script asks for, by its id or as a part of a template, is in the page', async () => {
    const files = (await readdir(SOURCES, { recursive: true })).filter((file) => file.endsWith('.ts'))
    const sources = await Promise.all(files.map((file) => readFile(path.join(SOURCES, file), 'utf8')))
    const wanted = sources.flatMap((text) => [...text.matchAll(/\b(?:byId|copyOf)\('([^']+)'/g)].map(([, id]) => id ?? ''))
    const given = new Set([...page.text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id))
    expect(wanted.length).toBeGreaterThan(20)
    expect(wanted.filter((id) => !given.has(id))).toEqual([])
    const parts = sources.flatMap((text) => [...text.matchAll(/\bpart\([^)]*?'\.([\w-]+)'/g)].map(([, name]) => name ?? ''))
    const classes = new Set([...page.text.matchAll(/\sclass="([^"]+)"/g)].flatMap(([, names = '']) => names.split(' ')))
    expect(parts.length).toBeGreaterThan(20)
    expect(parts.filter((name) => !classes.has(name))).toEqual([])
  })
})
