import { useCluster } from '../support/node.js'
import { wireSuite } from '../support/wire-suite.js'

const cluster = useCluster()

wireSuite('on two nodes', () => [cluster.a, cluster.b])
