import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { transform } from 'esbuild'

import type { Breakage, Check } from './breakages.js'

/** What the checks need of the tree, besides node_modules. */
const PARTS = ['src', 'test', 'scripts', 'package.json', 'jest.config.js', 'tsconfig.json', 'tsconfig.build.json']
/** The slowest check takes two minutes on a busy machine; one that hangs has not caught anything. */
const PATIENCE_MS = 600_000

export interface Ran {
  readonly failed: boolean
  readonly output: string
}

/** The source with the breakage in it. Throws where the text to be replaced is not there exactly once. */
export function broken({ file, find, replace }: Breakage, source: string): string {
  const [before, after, ...more] = source.split(find)
  if (before === undefined || after === undefined || more.length > 0) throw new Error(`${file} has not exactly one ${JSON.stringify(find)}: the table of breakages is out of date`)
  return `${before}${replace}${after}`
}

/** A private copy of the tree, in which one thing at a time is broken. */
export class Workshop {
  private constructor(private readonly root: string) {}

  static async open(from: string): Promise<Workshop> {
    const root = await mkdtemp(path.join(tmpdir(), 'rollcall-breakage-'))
    const workshop = new Workshop(root)
    try {
      for (const part of PARTS) await cp(path.join(from, part), path.join(root, part), { recursive: true })
      await symlink(path.join(from, 'node_modules'), path.join(root, 'node_modules'))
      const { failed, output } = await workshop.#node(['scripts/build.mjs'])
      if (failed) throw new Error(`the unbroken tree cannot be built:\n${output}`)
      return workshop
    } catch (error) {
      await workshop.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }

  /** Runs the breakage's check on the broken code, and puts the code right again. */
  async withBroken(breakage: Breakage): Promise<Ran> {
    const file = path.join(this.root, breakage.file)
    const right = await readFile(file, 'utf8')
    try {
      await this.#put(breakage.file, broken(breakage, right))
      return await this.run(breakage.check)
    } finally {
      await this.#put(breakage.file, right)
    }
  }

  async run(check: Check): Promise<Ran> {
    switch (check.by) {
      case 'fault':
        return this.#node(['scripts/faults.mjs', '--only', check.name, '--seed', String(check.seed), '--runs', String(check.runs)])
      case 'histories':
        return this.#jest('test/model/histories.test.ts', 'histories of seed', { ROLLCALL_SEED: String(check.seed), ROLLCALL_HISTORIES: String(check.count) })
      case 'test':
        return this.#jest(check.file, check.name)
    }
  }

  /** In `src`, and in `dist` without the compiler's checks: what is broken on purpose need not please it. */
  async #put(file: string, source: string): Promise<void> {
    await writeFile(path.join(this.root, file), source)
    const built = path.join(this.root, 'dist', path.relative('src', file))
    if (file.endsWith('.ts')) {
      const { code } = await transform(source, { loader: 'ts', format: 'esm', target: 'es2023', tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } } })
      await writeFile(built.replace(/\.ts$/, '.js'), code)
    } else {
      await writeFile(built, source)
    }
    await writeFile(path.join(this.root, 'dist', '.built'), '')
  }

  #jest(file: string, name: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    // A name is no pattern.
    const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return this.#node(['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--forceExit', file, '-t', pattern], env)
  }

  #node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const child = spawn(process.execPath, args, { cwd: this.root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        reject(new Error(`${args.join(' ')} took longer than ${PATIENCE_MS} ms:\n${output.slice(-4_000)}`))
      }, PATIENCE_MS)
      child.on('error', reject)
      child.on('close', (code) => {
        clearTimeout(timer)
        resolve({ failed: code !== 0, output })
      })
    })
  }
}
