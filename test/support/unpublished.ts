/** The image lock file as it is before a release, for a test of what an operator is then told. */
import { published } from "../../components/core/image-lock.ts";

for (const key of Object.keys(published)) Reflect.deleteProperty(published, key);
