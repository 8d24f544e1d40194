// Builds dist/: the compiler's output, the Redis scripts, the browser SDK and the demo page.
// Everything is made beside dist/ and moved into place at the end, so a build that fails leaves the last good one.
import { spawnSync } from 'node:child_process'
import { chmod, cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

import { bundleForBrowser } from './lib/bundle.mjs'

const root = path.resolve(import.meta.dirname, '..')
process.chdir(root)

const OUT = `dist.${String(process.pid)}`
const STATIC = new Set(['.html', '.css', '.svg', '.png', '.ico', '.webmanifest'])

async function compile() {
  const tsc = path.join('node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', OUT], { stdio: 'inherit' })
  if (status !== 0) throw new Error('the TypeScript compiler found errors')
  // The page's script is bundled below; what the compiler made of it would only be a second copy.
  await rm(path.join(OUT, 'demo'), { recursive: true, force: true })
}

async function copy(from, wanted) {
  for (const entry of await readdir(from, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !wanted.has(path.extname(entry.name))) continue
    const source = path.join(entry.parentPath, entry.name)
    const target = path.join(OUT, path.relative('src', source))
    await mkdir(path.dirname(target), { recursive: true })
    await cp(source, target)
  }
}

async function makeExecutable(file) {
  const text = await readFile(file, 'utf8')
  if (!text.startsWith('#!')) await writeFile(file, `#!/usr/bin/env node\n${text}`)
  await chmod(file, 0o755)
}

try {
  await compile()
  await copy('src/store', new Set(['.lua']))
  await copy('src/demo', STATIC)
  await bundleForBrowser('src/client/browser.ts', path.join(OUT, 'browser', 'client.js'))
  await bundleForBrowser('src/demo/demo.ts', path.join(OUT, 'demo', 'demo.js'))
  await makeExecutable(path.join(OUT, 'cli', 'main.js'))
  // Read by the start scripts: what is newer than this file asks for another build.
  await writeFile(path.join(OUT, '.built'), '')
  await rm('dist', { recursive: true, force: true })
  await rename(OUT, 'dist')
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  await rm(OUT, { recursive: true, force: true })
}
