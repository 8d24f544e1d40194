import { everySuite } from './every-suite.js'
import { singleRedis } from './setups.js'

everySuite(singleRedis)
