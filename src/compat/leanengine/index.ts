import type { Node } from '../../node.js'
import { createCloud, Definitions, type CloudApi } from './cloud.js'

export type { CloudApi, DefineOptions, Hook } from './cloud.js'
export type { WebhookData } from '../../protocol/webhooks.js'
export type { FunctionRequest, NamedFunction } from '../../rest/functions.js'

/** What this module is, to those who import it whole: `AV`. */
export interface LeanEngine {
  readonly Cloud: CloudApi
  /**
   * Lets a node serve what is defined, now and later, and call the hooks. Each hook is called once an event in the whole cluster, on
   * one of the nodes that have it.
   *
   * @throws TypeError for what is no node, Error for one that listens already
   */
  readonly init: (node: Pick<Node, 'functions' | 'receive'>) => void
}

/** One name among all receivers: nodes that have it share the work. */
const RECEIVER = 'leanengine'

export function createLeanEngine(): LeanEngine {
  const definitions = new Definitions()
  return {
    Cloud: createCloud(definitions),
    init(node) {
      if (typeof node?.receive !== 'function') throw new TypeError('AV.init takes a node, as createNode makes it')
      node.receive({
        name: RECEIVER,
        deliver: async ({ type, data }) => {
          await definitions.hook(type)?.({ params: data, meta: { remoteAddress: '' } })
        },
      })
      node.functions.include((name) => definitions.served(name))
    },
  }
}

// There is one for all files of an application, as they expect it: each says what it defines, and none is handed anything.
const AV = createLeanEngine()
export const { Cloud, init } = AV
export default AV
