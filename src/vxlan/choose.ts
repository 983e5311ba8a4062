/** Which network an attachment is for. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { invalid } from "../cni/schema.ts";
import { type Config, names } from "./config.ts";
import type { Network } from "./network.ts";

/** The original program's prefix for its annotations. */
const ANNOTATION = "vxlan-cni.travishegner.com/";

/** Where an annotation stands in the configuration, and its value. */
export function annotation({ annotations }: Config, name: string): { path: string[]; value: string | undefined } {
  const key = `${ANNOTATION}${name}`;
  return { path: ["args", "annotations", key], value: annotations[key] };
}

/** The network of one attachment, and why this one: the annotation, else the Kubernetes namespace, else the default, as the original program does. */
export function chooseNetwork(config: Config, { args }: Invocation): { network: Network; why: string } {
  if (config.k8sReadAnnotations) {
    throw new CniError(
      Code.unsupportedField,
      "Cannot use config: k8sReadAnnotations: reading annotations from the Kubernetes API is not available, got true; " +
        "pass them in args.annotations or set it to false",
    );
  }
  const find = (wanted: string | undefined) => config.networks.find(({ name }) => name === wanted);
  const annotated = annotation(config, "NetworkName");
  if (annotated.value !== undefined) {
    const network = find(annotated.value);
    if (network !== undefined) return { network, why: "its annotation says so" };
    throw invalid(annotated.path, `one of ${names(config.networks)}`, annotated.value);
  }
  const namespaced = config.k8sNetworkFromNamespace ? find(args.K8S_POD_NAMESPACE) : undefined;
  if (namespaced !== undefined) return { network: namespaced, why: "its Kubernetes namespace has that name" };
  const network = find(config.defaultNetwork);
  if (network !== undefined) return { network, why: "it is the default" };
  throw invalid("defaultNetwork", `one of ${names(config.networks)}`, undefined);
}
