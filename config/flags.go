package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
)

// Flags is the command line as one validated value. The zero value is not
// useful: [ParseFlags] fills in the defaults named below.
type Flags struct {
	HTTP     string // listen address: host:port, or a Unix socket's path if it starts with "/"; ":8443"
	Insecure bool   // speak plain HTTP instead of HTTPS
	// SocketMode are the permissions of Unix sockets; what the umask leaves if
	// it is 0.
	SocketMode fs.FileMode

	Static     string // directory of the web client; the embedded one if empty
	Data       string // directory of config.json, cert.pem, key.pem and var/; "./data/"
	Groups     string // directory of group definitions; "./groups/"
	Recordings string // directory that recordings are written to; "./recordings/"

	Turn      TURN      // the built-in TURN server; "auto"
	UDPRange  PortRange // ports for media; zero: one port of the system's choice
	RelayOnly bool      // use relayed candidates only
	MDNS      bool      // use mDNS candidates
	// PublicAddresses are what clients reach the server by, if the machine
	// itself does not have them; those of config.json if there are none.
	PublicAddresses PublicAddresses
	Loopback        bool // offer candidates on the loopback interface too

	// Metrics is where metrics are served to everybody, like HTTP; nowhere if
	// it is empty. A port alone means this machine only.
	Metrics      string
	MetricGroups bool // name groups in metrics

	Demo    bool // run a demonstration from a temporary directory
	Version bool // print the version and exit

	CPUProfile   string // files that profiles are written to at exit; none if empty
	MemProfile   string
	MutexProfile string
}

// PortRange is an inclusive range of UDP ports. It is either zero, or
// 1 <= Min <= Max.
type PortRange struct {
	Min, Max uint16
}

// Single reports whether the range is one port, on which all media is
// multiplexed.
func (r PortRange) Single() bool { return r.Min != 0 && r.Min == r.Max }

// UsageError says that the command line cannot be understood. The usage has
// been printed already.
type UsageError struct {
	Err error
}

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// demoAddress is where a demonstration listens unless told otherwise: on this
// machine only, since it lets anybody in.
const demoAddress = "localhost:8443"

// ParseFlags reads the arguments that follow the program's name.
//
// It returns [flag.ErrHelp] if help was asked for, and a [UsageError] for an
// unknown flag, a malformed boolean, contradictory flags or extra arguments; in
// these cases it has written a message and the usage to output. A value that is
// understood but impossible gives any other error, and nothing is written.
func ParseFlags(args []string, output io.Writer) (Flags, error) {
	var f Flags
	var unparsed unparsedFlags
	set := f.flagSet(output, &unparsed)

	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return Flags{}, err
		}
		return Flags{}, &UsageError{err}
	}
	given := make(map[string]bool)
	set.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	if err := f.complete(set.Args(), given); err != nil {
		_, _ = fmt.Fprintln(output, err)
		set.Usage()
		return Flags{}, &UsageError{err}
	}

	if f.Demo && !given["turn"] {
		unparsed.turn = "" // it is for this machine
	}
	if err := f.parse(unparsed, given); err != nil {
		return Flags{}, err
	}
	return f, nil
}

// unparsedFlags are those whose values may be impossible.
type unparsedFlags struct {
	turn, udpRange, publicAddress, socketMode string
}

// parse reads the unparsed flags into f.
func (f *Flags) parse(u unparsedFlags, given map[string]bool) (err error) {
	if f.Turn, err = ParseTURN(u.turn); err != nil {
		return fmt.Errorf("-turn: %w", err)
	}
	if given["udp-range"] {
		if f.UDPRange, err = parsePortRange(u.udpRange); err != nil {
			return fmt.Errorf("-udp-range: %w", err)
		}
	}
	if f.Metrics, err = parseListener(f.Metrics); err != nil {
		return fmt.Errorf("-metrics: %w", err)
	}
	if given["socket-mode"] {
		if f.SocketMode, err = parseSocketMode(u.socketMode); err != nil {
			return fmt.Errorf("-socket-mode: %w", err)
		}
	}
	if u.publicAddress != "" {
		if f.PublicAddresses, err = ParsePublicAddresses(strings.Split(u.publicAddress, ",")); err != nil {
			return fmt.Errorf("-public-address: %w", err)
		}
	}
	return nil
}

// flagSet declares the flags, to be stored in f and u.
func (f *Flags) flagSet(output io.Writer, u *unparsedFlags) *flag.FlagSet {
	set := flag.NewFlagSet("galene", flag.ContinueOnError)
	set.SetOutput(output)
	set.StringVar(&f.HTTP, "http", ":8443", "listen on `address`: host:port, or the path of a Unix socket")
	set.BoolVar(&f.Insecure, "insecure", false, "use plain HTTP instead of HTTPS")
	set.StringVar(&u.socketMode, "socket-mode", "", "permissions of Unix sockets, in `octal`, such as 660 (default what the umask leaves)")
	set.StringVar(&f.Static, "static", "", "serve the web client in `directory` instead of the embedded one")
	set.StringVar(&f.Data, "data", "./data/", "`directory` of the configuration and the certificate")
	set.StringVar(&f.Groups, "groups", "./groups/", "`directory` of the group definitions")
	set.StringVar(&f.Recordings, "recordings", "./recordings/", "`directory` of the recordings")
	set.StringVar(&u.turn, "turn", "auto", "`address` of the built-in TURN server, \"auto\", or \"\" for none")
	set.StringVar(&u.publicAddress, "public-address", "",
		"`addresses` that clients reach this machine by, if it is behind a NAT: an IPv4 one, an IPv6 one, or both with a comma")
	set.StringVar(&u.udpRange, "udp-range", "",
		"UDP `ports` for media: one port for everything, or a range min-max (default one port of the system's choice)")
	set.BoolVar(&f.RelayOnly, "relay-only", false, "use relayed connections only")
	set.BoolVar(&f.MDNS, "mdns", false, "use mDNS candidates")
	set.BoolVar(&f.Loopback, "loopback", false, "offer media on the loopback interface too")
	set.StringVar(&f.Metrics, "metrics", "",
		"serve metrics to Prometheus, without a password, on `address`: a port of this machine, host:port, or the path of a Unix socket")
	set.BoolVar(&f.MetricGroups, "metrics-groups", false, "name groups in metrics")
	set.BoolVar(&f.Demo, "demo", false,
		"run a demonstration: a group open to everybody, kept in a temporary directory, on "+demoAddress)
	set.BoolVar(&f.Version, "version", false, "print the version and exit")
	set.StringVar(&f.CPUProfile, "cpuprofile", "", "write a CPU profile to `file`")
	set.StringVar(&f.MemProfile, "memprofile", "", "write a memory profile to `file`")
	set.StringVar(&f.MutexProfile, "mutexprofile", "", "write a mutex profile to `file`")
	return set
}

// complete checks what one flag alone does not show, and applies what a
// demonstration implies. given holds the names of the flags that were given.
func (f *Flags) complete(rest []string, given map[string]bool) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if f.HTTP == "" {
		return errors.New("-http needs an address")
	}
	if given["socket-mode"] && !strings.HasPrefix(f.HTTP, "/") && !strings.HasPrefix(f.Metrics, "/") {
		return errors.New("-socket-mode is for Unix sockets, and -http names none")
	}
	if !f.Demo {
		return nil
	}
	for _, name := range []string{"data", "groups", "recordings"} {
		if given[name] {
			return fmt.Errorf("-demo makes its own directories and cannot be combined with -%s", name)
		}
	}
	if strings.HasPrefix(f.HTTP, "/") {
		return errors.New("-demo cannot listen on a Unix socket")
	}
	f.Loopback = true
	if !given["http"] {
		f.HTTP = demoAddress
	}
	return nil
}

// parseListener reads an address to listen on, for those of this machine unless it
// says otherwise: "port" or ":port", "host:port", or the path of a Unix socket.
func parseListener(s string) (string, error) {
	if s == "" || strings.HasPrefix(s, "/") {
		return s, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = "", s
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q is neither a port, nor host:port, nor the path of a Unix socket", s)
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

// parseSocketMode reads permissions in octal. Without those to read and write, the
// server's own user could not connect.
func parseSocketMode(s string) (fs.FileMode, error) {
	const owner = 0o600
	mode, err := strconv.ParseUint(s, 8, 9)
	if err != nil || mode&owner != owner {
		return 0, fmt.Errorf("%q is not such as 660: three octal digits that let the owner read and write", s)
	}
	return fs.FileMode(mode), nil
}

// parsePortRange reads "port" or "min-max".
func parsePortRange(s string) (PortRange, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	low, err := parsePort(first)
	if err != nil {
		return PortRange{}, fmt.Errorf("%q is neither a port nor a range min-max: %w", s, err)
	}
	high, err := parsePort(last)
	if err != nil {
		return PortRange{}, fmt.Errorf("%q is neither a port nor a range min-max: %w", s, err)
	}
	if low > high {
		return PortRange{}, fmt.Errorf("range %q ends before it starts", s)
	}
	return PortRange{Min: low, Max: high}, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", s)
	}
	return uint16(n), nil
}
