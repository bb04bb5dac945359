import { testSeeds } from '../equipment/seeds/seed-test.ts';

testSeeds(1, 250);
