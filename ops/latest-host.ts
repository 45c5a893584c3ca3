/**
 * As another place of the work is no difference, a resource's outputs keep that of its last change. The latest one is in
 * its inputs. The engine sends those along with a delete and a read, but the SDK's server leaves them out.
 */
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";

import messages from "@pulumi/pulumi/proto/provider_pb.js";

/** The inputs that say where the work is done, or have a part that says so. */
const places = ["host", "at", "ecs", "job"];

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
    for (const key of places) {
      const latest = inputsOf(this)?.getFieldsMap().get(key);
      if (latest !== undefined) properties?.getFieldsMap().set(key, latest);
    }
    return properties;
  };
}
