package dataset

import "fmt"

// Names of a home's files.
const (
	FileLAN      = "lan.pcapng"
	FileWAN      = "wan.pcapng"
	FilePackets  = "packets.parquet"
	FileEvents   = "events.parquet"
	JournalRows  = "rows.journal"
	JournalEvent = "events.journal"
)

// HomeDir names the directory of a home inside a data set.
func HomeDir(home int) string { return fmt.Sprintf("home=%06d", home) }

// Names of what is no unit of the home.
const (
	NameGateway        = "gateway"
	NameInternet       = "internet"
	NameInfrastructure = "infrastructure"
)

// Unknown stands for what a killed run did not tell.
const Unknown = "unknown"
