/**
 * As another `host` is no difference, a resource's outputs keep the `host` of its last change. The latest one is in its
 * inputs. The engine sends those along with a delete and a read, but the SDK's server leaves them out.
 */
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";

import messages from "@pulumi/pulumi/proto/provider_pb.js";

export function useLatestHost(): void {
  const deletes = messages.DeleteRequest.prototype;
  const reads = messages.ReadRequest.prototype;
  patch(deletes, (request) => request.getOldInputs());
  patch(reads, (request) => request.getInputs());
}

function patch<R extends { getProperties(): Struct | undefined }>(
  prototype: R,
  inputsOf: (request: R) => Struct | undefined,
): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the request as `this`
  const { getProperties } = prototype;
  prototype.getProperties = function (this: R): Struct | undefined {
    const properties = getProperties.call(this);
    const host = inputsOf(this)?.getFieldsMap().get("host");
    if (host !== undefined) properties?.getFieldsMap().set("host", host);
    return properties;
  };
}
