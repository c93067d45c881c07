package tree

import (
	"context"
	"errors"
)

// RowForest is a random forest over rows of numbers of any meaning: for those who bring features of their own, and for
// comparison with other libraries. It may be shared.
type RowForest struct{ f *Forest }

// FitRows grows a forest on rows: x holds features numbers a row, y the class of each row, below classes, which is at most
// 255. The same forest for any number of workers.
func FitRows(ctx context.Context, x []float32, features int, y []uint8, classes int, o ForestOptions) (*RowForest, error) {
	switch {
	case len(y) == 0 || features < 1 || len(x) != len(y)*features:
		return nil, errors.New("the rows and their classes do not match")
	case classes < 1 || classes > MaxClasses:
		return nil, errors.New("there can be 1 to 255 classes")
	}
	for _, c := range y {
		if int(c) >= classes {
			return nil, errors.New("a row is of a class that is not there")
		}
	}
	f, err := GrowForest(ctx, NewTable(x, y, classes, o.Workers), o)
	return &RowForest{f}, err
}

// Predict writes the probabilities of the classes for a row to probs. It allocates nothing.
func (f *RowForest) Predict(x, probs []float32) { f.f.Predict(x, probs) }

// Marshal returns the trees as bytes: equal forests have equal ones.
func (f *RowForest) Marshal() []byte { return f.f.Marshal() }
