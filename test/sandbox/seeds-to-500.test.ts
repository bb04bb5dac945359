import { testSeeds } from '../equipment/seeds/seed-test.ts';

testSeeds(251, 500);
