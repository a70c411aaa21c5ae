// A HashiCorp Vault server for tests: storage in memory, KV version 2 under secret/, and the auth methods that
// the connector logs in with. It listens on loopback, starts initialised and unsealed, and prints one JSON line.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	authjwt "github.com/hashicorp/vault-plugin-auth-jwt"
	authkubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

var secretEngines = map[string]logical.Factory{"kv": kv.Factory}

var authMethods = map[string]logical.Factory{
	"approle":    approle.Factory,
	"jwt":        authjwt.Factory,
	"kubernetes": authkubernetes.Factory,
}

// registry tells Vault's plugin catalog that the factories above are built in.
type registry struct{}

func (registry) factories(kind consts.PluginType) map[string]logical.Factory {
	switch kind {
	case consts.PluginTypeSecrets:
		return secretEngines
	case consts.PluginTypeCredential:
		return authMethods
	default:
		return nil
	}
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, known := r.factories(kind)[name]
	return known
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factory, known := r.factories(kind)[name]
	return func() (interface{}, error) { return factory, nil }, known
}

func (r registry) Keys(kind consts.PluginType) []string {
	var names []string
	for name := range r.factories(kind) {
		names = append(names, name)
	}
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func main() {
	port := flag.Int("port", 0, "loopback port; 0 takes a free one")
	certificate := flag.String("certificate", "", "PEM of the server's certificate: serve https")
	key := flag.String("key", "", "PEM of its private key")
	level := flag.String("log-level", "error", "level of Vault's own log, on stderr")
	flag.Parse()
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.LevelFromString(*level)})
	if err := serve(fmt.Sprintf("127.0.0.1:%d", *port), *certificate, *key, logger); err != nil {
		log.Fatal(err)
	}
}

func serve(address, certificate, key string, logger hclog.Logger) error {
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		StorageType:        "inmem",
		LogicalBackends:    secretEngines,
		CredentialBackends: authMethods,
		BuiltinRegistry:    registry{},
		Logger:             logger,
		DisableMlock:       true,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	handler := newControls(vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{},
	}))
	scheme := "http"
	if certificate == "" {
		go http.Serve(listener, handler)
	} else {
		scheme = "https"
		go http.ServeTLS(listener, handler, certificate, key)
	}
	root, share, err := unsealed(core)
	if err != nil {
		return err
	}
	if err := mountSecrets(core, root); err != nil {
		return err
	}
	line, err := json.Marshal(map[string]any{
		"url": scheme + "://" + listener.Addr().String(), "root_token": root, "unseal_key": hex.EncodeToString(share),
	})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	return core.Shutdown()
}

// unsealed initialises the server with one key share, unseals it, and returns its root token and that share.
func unsealed(core *vault.Core) (string, []byte, error) {
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1, StoredShares: 1}
	secrets, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: one})
	if err != nil {
		return "", nil, err
	}
	share := secrets.SecretShares[0]
	// Vault overwrites the share that it is given.
	if _, err := core.Unseal(bytes.Clone(share)); err != nil {
		return "", nil, err
	}
	return secrets.RootToken, share, nil
}

// mountSecrets mounts KV version 2 where a development server of Vault has it.
func mountSecrets(core *vault.Core, token string) error {
	answer, err := core.HandleRequest(namespace.RootContext(context.Background()), &logical.Request{
		Operation:   logical.UpdateOperation,
		ClientToken: token,
		Path:        "sys/mounts/secret",
		Data:        map[string]any{"type": "kv", "options": map[string]string{"version": "2"}},
	})
	if err != nil {
		return err
	}
	return answer.Error()
}
