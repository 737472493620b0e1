package group

import "galene/config"

// limits is what members may make a group hold. It asks for the settings, and so
// is not called under a lock.
func (r *Registry) limits() config.Limits { return r.settings().Limits.WithDefaults() }
