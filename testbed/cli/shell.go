package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/testbed/live/shell"
)

func newShell() *cobra.Command {
	var lab string
	cmd := &cobra.Command{
		Use:   "shell NAMESPACE [-- COMMAND...]",
		Short: "Run a shell or a command in a namespace of a running home",
		Long: `Opens a shell in a namespace of a running home: "gateway", "internet", or a device's unit, as echo-dot. There, ip,
tcpdump, ping and wg work as on any Linux router: /etc/resolv.conf, /sys and the tunnel's end are the namespace's own, and
private keys are not shown. tcpdump on the gateway's eth0 shows packets before their translation, on the internet's isp0 after
it. Packets that you send yourself are not attributed to a device: the run is then reported as not valid.`,
		Example: `  glasshouse shell gateway
  glasshouse shell gateway -- wg show
  glasshouse shell internet -- tcpdump -ni isp0 -c 10
  glasshouse shell echo-dot --lab noisy-napt-7-0 -- ip addr`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := shell.Run(cmd.Context(), lab, args[0], args[1:])
			if err != nil {
				return err
			}
			if code != 0 {
				return &codeError{code: code, silent: true, err: fmt.Errorf("%s: exit %d", strings.Join(args[1:], " "), code)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&lab, "lab", "", "`NAME` of the lab, where several run (default the newest)")
	cmd.Flags().SetInterspersed(true)
	return cmd
}
