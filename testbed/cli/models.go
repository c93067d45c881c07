package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"glasshouse/classifier"
	"glasshouse/classifier/card"
	"glasshouse/classifier/onnx"
	"glasshouse/testbed/dataset"
)

func newModels() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "Show models and export them",
		Long:  "Show what a model is and what it was trained on, or export it as ONNX for other programs.",
		Example: `  glasshouse models card vpn.model
  glasshouse models export vpn.model -o vpn.onnx`,
	}
	cmd.AddCommand(newModelsCard(), newModelsExport())
	return cmd
}

func newModelsCard() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "card MODEL",
		Short: "Print a model's classes, input, training data and limits",
		Example: `  glasshouse models card vpn.model > vpn.md
  glasshouse models card vpn.model --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := classifier.LoadFile(args[0])
			if err != nil {
				return usage(err)
			}
			c := card.New(m.Meta())
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), c)
			}
			return c.WriteMarkdown(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the card as JSON")
	return cmd
}

func newModelsExport() *cobra.Command {
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "export MODEL",
		Short: "Write a model as ONNX, and its card beside it",
		Long: `Writes a model of any kind as ONNX, and its card to a file of the same name that ends in .md. The input, "features", is one row
of numbers per packet, in the order of the card; the rows of a neural model are one home's packets in order. The outputs are
"label" and "probabilities".`,
		Example: `  glasshouse models export vpn.model -o vpn.onnx`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("-o FILE.onnx is missing: the file of the model")
			}
			if err := checkModelPath(out); err != nil {
				return usage(err)
			}
			m, err := classifier.LoadFile(args[0])
			if err != nil {
				return usage(err)
			}
			if err := dataset.WriteFile(out, func(w io.Writer) error { return onnx.Export(w, m) }); err != nil {
				return usage(err)
			}
			cardFile := strings.TrimSuffix(out, filepath.Ext(out)) + ".md"
			if err := dataset.WriteFile(cardFile, card.New(m.Meta()).WriteMarkdown); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), map[string]any{"model": out, "card": cardFile, "features": onnx.InputNames(m.Meta()), "classes": m.Meta().Classes})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s and %s\n", out, cardFile)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "`FILE` of the ONNX model (required)")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}
