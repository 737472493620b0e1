package group

// Status is what is published of a group, with the field names it has in JSON.
type Status struct {
	Name string `json:"name"`
	// Redirect is where clients are sent instead. The status of a group that
	// has one has a name, a display name and a description besides.
	Redirect string `json:"redirect,omitempty"`
	// Location and Endpoint are URLs that whoever serves the status fills in.
	Location    string `json:"location,omitempty"`
	Endpoint    string `json:"endpoint,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	Description string `json:"description,omitempty"`
	AuthServer  string `json:"authServer,omitempty"`
	AuthPortal  string `json:"authPortal,omitempty"`
	Locked      bool   `json:"locked,omitempty"`
	// ClientCount is how many members there are; nil if that is not told.
	ClientCount       *int `json:"clientCount,omitempty"`
	CanChangePassword bool `json:"canChangePassword,omitempty"`
}

// statusOf is what may be told of the definition d of the group called name.
func statusOf(name string, d *Description) Status {
	s := Status{
		Name:        name,
		Redirect:    d.Redirect,
		DisplayName: d.DisplayName,
		Description: d.Description,
	}
	if d.Redirect == "" {
		s.AuthServer = d.AuthServer
		s.AuthPortal = d.AuthPortal
	}
	return s
}

// publicStatus is what anybody may see of the group.
func (g *Group) publicStatus() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := statusOf(g.name, g.description)
	if g.description.Public && g.description.Redirect == "" {
		count := len(g.order)
		s.ClientCount = &count
		s.Locked = g.locked
	}
	return s
}

// Status is what members see of the group.
func (g *Group) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.statusLocked()
}

func (g *Group) statusLocked() Status {
	s := statusOf(g.name, g.description)
	count := len(g.order)
	s.ClientCount = &count
	s.Locked = g.locked
	s.CanChangePassword = g.registry.writable.Load()
	return s
}
