import { useCluster } from '../support/node.js'
import { wireSuite } from '../support/wire-suite.js'

const cluster = useCluster({ directFrames: true })

wireSuite('on two nodes that write frames directly', () => [cluster.a, cluster.b])
