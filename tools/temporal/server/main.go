// temporal-server: Temporal's server with its PostgreSQL plugin in one process, as `rouse up --temporal postgres` runs it.
//
//	temporal-server CONFIG [UI-ADDRESS UI-PORT]
//
// CONFIG is a configuration of Temporal's own form (keeper/postgres/server-config.ts writes it). It waits for the database,
// brings its schemas up to this version, and serves until SIGTERM.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 && len(args) != 3 {
		return fmt.Errorf("usage: temporal-server CONFIG [UI-ADDRESS UI-PORT]")
	}
	conf, err := config.Load(config.WithConfigFile(args[0]))
	if err != nil {
		return err
	}
	logger := log.NewZapLogger(log.BuildZapLogger(conf.Log))
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := bringUpSchemas(ended, conf, logger); err != nil {
		return err
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hostsOf(conf)),
		temporal.WithLogger(logger),
		// Who reaches it may do all: keeper/door/ decides who does.
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
	)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	if len(args) == 3 {
		ui, err := uiOf(conf, args[1], args[2])
		if err != nil {
			return err
		}
		defer ui.Stop()
		go func() {
			if err := ui.Start(); err != nil {
				fmt.Fprintln(os.Stderr, "the web interface does not run:", err)
			}
		}()
	}
	<-ended.Done()
	// A second signal, or a service that does not stop, must not keep it here.
	stop()
	time.AfterFunc(8*time.Second, func() { os.Exit(1) })
	return server.Stop()
}

// All of it is one process: nobody has to find anybody.
func hostsOf(conf *config.Config) map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for _, name := range temporal.DefaultServices {
		rpc := conf.Services[name].RPC
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(fmt.Sprintf("%s:%d", rpc.BindOnIP, rpc.GRPCPort))
	}
	return hosts
}

func uiOf(conf *config.Config, address, port string) (*uiserver.Server, error) {
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	return uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                address,
		Port:                number,
		TemporalGRPCAddress: conf.PublicClient.HostPort,
		EnableUI:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true},
		HideLogs:            true,
		DisableNewsFetch:    true,
	})), nil
}
