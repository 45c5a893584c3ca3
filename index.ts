import { deploy } from "./components/deploy.ts";

export const { url, rehearsing, endpoints, passwords, ca, images, places } = await deploy();
