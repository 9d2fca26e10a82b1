package compile

import "io"

// Weights says how often calls are made.
type Weights struct{}

// ParseWeights reads a weights file.
func ParseWeights(io.Reader) (*Weights, error) { return &Weights{}, nil }
