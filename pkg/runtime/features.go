package runtime

// features shows what the filters of this runtime can be.
func (w *wrapper) features() (done bool, code int) { return false, 0 }
