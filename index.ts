import { deploy } from "./components/deploy.ts";

/** The stack's outputs. */
export default await deploy();
