package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"glasshouse/testbed/dataset"
	"glasshouse/testbed/dataset/export"
	"glasshouse/testbed/plain"
)

type exportOptions struct {
	pcap, csv, pcapml bool
	out               string
	json              bool
}

func newDatasetExport() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use: "export DIR --pcap|--csv|--pcapml -o OUT", Short: "Write a dataset for other tools",
		Long: `Writes a copy for other tools:

  --pcap     the WAN captures as classic pcap files with ns timestamps, for tools that do not read pcapng
  --csv      the packets of all homes, with a column home followed by the columns of packets.parquet
  --pcapml   the WAN captures with the ground truth in a comment on each packet: sample,device,d=direction

OUT is a directory, new or empty, or a file if its name ends in .pcap, .csv or .pcapng; captures of several homes need a
directory.`,
		Example: `  glasshouse dataset export home1 --pcap -o home1.pcap
  glasshouse dataset export homes --csv -o packets.csv
  glasshouse dataset export home1 --pcapml -o labelled.pcapng
  tshark -r labelled.pcapng -Y 'frame.comment contains "echo-dot"'`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeDatasets(0, false),
		RunE: func(cmd *cobra.Command, args []string) error { return runExport(cmd, &o, args[0]) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.pcap, "pcap", false, "classic pcap files of the WAN")
	f.BoolVar(&o.csv, "csv", false, "packets as CSV")
	f.BoolVar(&o.pcapml, "pcapml", false, "captures with the ground truth in comments")
	f.StringVarP(&o.out, "output", "o", "", "`OUT`: a directory, new or empty, or a file")
	f.BoolVar(&o.json, "json", false, "print as JSON")
	return cmd
}

func runExport(cmd *cobra.Command, o *exportOptions, dir string) error {
	run, chosen := export.Pcap, 0
	for _, f := range []struct {
		on bool
		f  func(*dataset.Dataset, string, func(done, of int64)) (*export.Result, error)
	}{{o.pcap, export.Pcap}, {o.csv, export.CSV}, {o.pcapml, export.PcapML}} {
		if f.on {
			run = f.f
			chosen++
		}
	}
	if chosen != 1 {
		return usagef("one of --pcap, --csv and --pcapml is needed; see %s --help", cmd.CommandPath())
	}
	if o.out == "" {
		return usagef("-o OUT is missing: the output file or directory; see %s --help", cmd.CommandPath())
	}
	d, err := dataset.Open(dir)
	if err != nil {
		return usage(err)
	}
	bar := newProgress(cmd.ErrOrStderr())
	r, err := run(d, o.out, bar.count("packet"))
	bar.done(err)
	if err != nil {
		return input(err)
	}
	if o.json {
		return writeJSON(cmd.OutOrStdout(), r)
	}
	for _, f := range r.Files {
		fmt.Fprintln(cmd.OutOrStdout(), f)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", plain.Count(r.Packets, "packet"))
	return err
}
