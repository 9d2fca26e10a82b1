//go:build integration

package integration

import "testing"

func TestMain(m *testing.M) { Main(m) }
