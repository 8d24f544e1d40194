import { everySuite } from './every-suite.js'
import { clusteredRedis } from './setups.js'

everySuite(clusteredRedis)
