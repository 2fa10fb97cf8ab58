package serve

import "time"

// Options say where and how the server listens.
type Options struct {
	Host        string        `yaml:"host" help:"address to listen on; 127.0.0.1 is this machine only" default:"127.0.0.1"`
	Port        int           `yaml:"port" help:"port to listen on; 0 takes a free one" default:"8080" range:"0..65535"`
	APIKey      string        `yaml:"api_key" help:"if set, requests must carry it as a bearer token"`
	MaxBody     int64         `yaml:"max_body" help:"largest request in bytes" default:"8388608" range:"1024..1073741824"`
	MaxRequests int           `yaml:"max_requests" help:"most requests at one time; others are told to come back" default:"256" range:"1..1000000"`
	MaxChoices  int           `yaml:"max_choices" help:"most replies to one request (n)" default:"16" range:"1..1000"`
	Runs        string        `yaml:"runs" help:"folder of runs whose plots are shown at /runs" default:"runs"`
	Heartbeat   time.Duration `yaml:"heartbeat" help:"a silent stream says that it is alive this often" default:"15s"`
	Drain       time.Duration `yaml:"drain" help:"how long running requests may go on when the server stops" default:"30s"`
}

func (o Options) withDefaults() Options {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 8 << 20
	}
	if o.MaxRequests <= 0 {
		o.MaxRequests = 256
	}
	if o.MaxChoices <= 0 {
		o.MaxChoices = 16
	}
	if o.Runs == "" {
		o.Runs = "runs"
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Drain <= 0 {
		o.Drain = 30 * time.Second
	}
	return o
}
