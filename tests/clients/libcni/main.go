// Command libcni attaches a container to a network through libcni, the library that runtimes written in Go use.
//
// It prints one JSON object: {"result": ...} or {"error": {"code", "msg", "details"}}; the exit code is 0 for both.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

type answer struct {
	Result interface{} `json:"result,omitempty"`
	Error  interface{} `json:"error,omitempty"`
}

func main() {
	list := flag.String("conflist", "", "path of the network configuration list")
	dirs := flag.String("plugin-dirs", "", "folders with plugins, separated by colons")
	cache := flag.String("cache", "", "folder for the results of ADD")
	container := flag.String("container", "", "container id")
	netns := flag.String("netns", "", "path of the network namespace")
	ifname := flag.String("ifname", "eth0", "interface name in the container")
	args := flag.String("args", "", "CNI_ARGS: K=V;K=V")
	capabilities := flag.String("capabilities", "{}", "capability arguments as JSON")
	flag.Parse()

	conflist, err := libcni.ConfListFromFile(*list)
	if err != nil {
		fail(err)
	}
	runtime := &libcni.RuntimeConf{ContainerID: *container, NetNS: *netns, IfName: *ifname, CacheDir: *cache}
	for _, pair := range strings.Split(*args, ";") {
		if key, value, found := strings.Cut(pair, "="); found {
			runtime.Args = append(runtime.Args, [2]string{key, value})
		}
	}
	if err := json.Unmarshal([]byte(*capabilities), &runtime.CapabilityArgs); err != nil {
		fail(err)
	}

	cni := libcni.NewCNIConfigWithCacheDir(filepath.SplitList(*dirs), *cache, nil)
	result, err := call(cni, flag.Arg(0), conflist, runtime)
	print(answer{Result: result, Error: describe(err)})
}

func call(cni *libcni.CNIConfig, verb string, list *libcni.NetworkConfigList, runtime *libcni.RuntimeConf) (interface{}, error) {
	ctx := context.Background()
	switch verb {
	case "ADD":
		return cni.AddNetworkList(ctx, list, runtime)
	case "CHECK":
		return nil, cni.CheckNetworkList(ctx, list, runtime)
	case "DEL":
		return nil, cni.DelNetworkList(ctx, list, runtime)
	case "VALIDATE": // asks every plugin for its versions; the capabilities of all plugins
		return cni.ValidateNetworkList(ctx, list)
	case "CACHED":
		return cni.GetNetworkListCachedResult(list, runtime)
	}
	return nil, fmt.Errorf("Cannot call verb %q: it is none of ADD, CHECK, DEL, VALIDATE, CACHED", verb)
}

func describe(err error) interface{} {
	if err == nil {
		return nil
	}
	if known, ok := err.(*types.Error); ok {
		return known
	}
	return &types.Error{Msg: err.Error()}
}

func fail(err error) {
	print(answer{Error: describe(err)})
	os.Exit(0)
}

func print(value answer) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
