package accesspoint

// AckPlaces tells how many connections an access point keeps in mind for late acknowledgements.
func AckPlaces(a *AccessPoint) int { return len(a.late.conns) }
