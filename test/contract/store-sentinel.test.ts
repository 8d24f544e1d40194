import { invitationSuite } from './invitation-suite.js'
import { messageSuite } from './message-suite.js'
import { metadataSuite } from './metadata-suite.js'
import { sentinelRedis } from './setups.js'
import { rosterSuite } from './roster-suite.js'
import { statusSuite } from './status-suite.js'
import { storeSuite } from './store-suite.js'
import { shared } from './use-setup.js'

const setup = shared(sentinelRedis)

storeSuite(setup)
statusSuite(setup)
metadataSuite(setup)
rosterSuite(setup)
invitationSuite(setup)
messageSuite(setup)
