import { deploy } from "./components/deploy.ts";

export const { url, rehearsing, endpoints, passwords, ca, suppliers, places, images } = await deploy();
