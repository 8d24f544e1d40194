import { execFileSync } from 'node:child_process'
import { appendFile, readFile, writeFile } from 'node:fs/promises'

import type { Outcome } from './run.js'

/** What a long run has found so far, one line each, so that it can be stopped and gone on with: of one commit only. */
export class Journal {
  private constructor(
    private readonly file: string | undefined,
    readonly outcomes: Outcome[],
  ) {}

  /** Begins one, or goes on with it. Without a file nothing is kept. */
  static async open(file: string | undefined): Promise<Journal> {
    if (file === undefined) return new Journal(undefined, [])
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text === '') await writeFile(file, `${JSON.stringify({ commit })}\n`)
    const [head = { commit }, ...outcomes] = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Outcome & { commit?: string }]))
    if (head.commit !== commit) throw new Error(`${file} is of ${String(head.commit)}, and this is ${commit}: begin another one`)
    return new Journal(file, outcomes)
  }

  has({ setup, fault, seed }: Pick<Outcome, 'setup' | 'fault' | 'seed'>): boolean {
    return this.outcomes.some((outcome) => outcome.setup === setup && outcome.fault === fault && outcome.seed === seed)
  }

  async add(outcome: Outcome): Promise<void> {
    this.outcomes.push(outcome)
    if (this.file !== undefined) await appendFile(this.file, `${JSON.stringify({ ...outcome, breaches: outcome.breaches.map(({ invariant, where, what }) => ({ invariant, where, what })) })}\n`)
  }
}
