/** What both programs share: agent.py. */
export declare const agent: string;
/** slot.py */
export declare const slot: string;
/** node.py */
export declare const node: string;
