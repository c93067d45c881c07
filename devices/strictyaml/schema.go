package strictyaml

import (
	"encoding/json"

	"github.com/invopop/jsonschema"
)

// A JSON schema tells an editor what a file may hold. It is made from structs whose fields are a file's keys, with the types
// below for what the accessors of the same names take. A schema knows shapes and vocabularies; bounds that hang on other
// values, and all messages, are the reader's.
type (
	// ADuration is what Duration takes.
	ADuration string
	// DurationSpan is what DurationRange takes.
	DurationSpan string
	// DurationTable is a DurationSpan, or three durations and more: quantiles.
	DurationTable string
	// IntSpan is what IntRange takes.
	IntSpan string
	// DecimalSpan is what DecimalRange takes.
	DecimalSpan string
	// QuantitySpan is what Quantity takes.
	QuantitySpan string
	// AName is one to 32 lower-case letters and digits in words joined by hyphens.
	AName string
)

const (
	durationShape = `^-?([0-9]+(\.[0-9]*)?(w|d|h|m|s|ms|us|ns))+$`
	nameShape     = `^[a-z0-9]+(-[a-z0-9]+)*$`
	quantityShape = `^[0-9]+ ?[A-Za-z]+$`
)

// JSONSchema implements the generator's interface.
func (ADuration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Description: "a duration, as in 250ms, 1m30s, 2d",
		OneOf:       []*jsonschema.Schema{{Type: "string", Pattern: durationShape}, {Const: 0}},
	}
}

// JSONSchema implements the generator's interface.
func (DurationSpan) JSONSchema() *jsonschema.Schema {
	return orPair(ADuration("").JSONSchema(), "a duration, or [from, to] to draw from")
}

// JSONSchema implements the generator's interface.
func (DurationTable) JSONSchema() *jsonschema.Schema {
	return OrTable(ADuration("").JSONSchema(), "a duration, [from, to] to draw from, or quantiles in equal steps", 101)
}

// JSONSchema implements the generator's interface.
func (IntSpan) JSONSchema() *jsonschema.Schema {
	return orPair(&jsonschema.Schema{Type: "integer"}, "an integer, or [from, to] to draw from")
}

// JSONSchema implements the generator's interface.
func (DecimalSpan) JSONSchema() *jsonschema.Schema {
	return orPair(&jsonschema.Schema{Type: "number"}, "a number, or [from, to] to draw from")
}

// JSONSchema implements the generator's interface.
func (QuantitySpan) JSONSchema() *jsonschema.Schema {
	one := &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: quantityShape}, {Type: "integer"}}}
	return orPair(one, "a number with its unit, or [from, to] to draw from")
}

// JSONSchema implements the generator's interface.
func (AName) JSONSchema() *jsonschema.Schema {
	most := uint64(60)
	return &jsonschema.Schema{Type: "string", Pattern: nameShape, MaxLength: &most}
}

// OrTable allows a value, or a list of two and more of its kind, up to a number.
func OrTable(one *jsonschema.Schema, about string, most uint64) *jsonschema.Schema {
	two := uint64(2)
	return &jsonschema.Schema{
		Description: about,
		OneOf:       []*jsonschema.Schema{one, {Type: "array", Items: one, MinItems: &two, MaxItems: &most}},
	}
}

// orPair allows a value, or a list of two of its kind.
func orPair(one *jsonschema.Schema, about string) *jsonschema.Schema {
	two := uint64(2)
	return &jsonschema.Schema{
		Description: about,
		OneOf:       []*jsonschema.Schema{one, {Type: "array", Items: one, MinItems: &two, MaxItems: &two}},
	}
}

// Vocabulary is a text that is one of some names.
func Vocabulary(names ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, n := range names {
		s.Enum = append(s.Enum, n)
	}
	return s
}

// Schema returns the JSON schema (draft 2020-12) of files whose keys are the fields of a struct; fields without omitempty are
// needed, and other keys are refused.
func Schema(v any, title string) ([]byte, error) {
	r := jsonschema.Reflector{ExpandedStruct: true, Anonymous: true}
	s := r.Reflect(v)
	s.Title = title
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}
